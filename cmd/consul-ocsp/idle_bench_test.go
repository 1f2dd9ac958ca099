package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
)

const (
	// settleFor is how long a leader that has come to rest is left alone before it is watched: what it used on the way
	// there it has given back by then.
	settleFor = 30 * time.Second
	// idleFor is how long it is watched: longer than Consul holds a query that brings no news.
	idleFor = 70 * time.Second
)

// BenchmarkIdleLeader shows what the program takes while it leads and nothing is due: with so many certificates that
// nodes announced, each with a published response that is good for days. MB is what is resident then, peak-MB the most
// that was at any time since the start, CPU-% the share of one processor.
func BenchmarkIdleLeader(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchIdle(b, n) })
	}
}

func benchIdle(b *testing.B, n int) {
	dir := b.TempDir()
	program := filepath.Join(dir, "consul-ocsp")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	server := consultest.Start(b)
	newHoard(b, n).fill(server.Client(), filepath.Join(dir, "data"))
	job := filepath.Join(dir, "leader.hcl")
	text := fmt.Sprintf(`node_name = "leader"
roles     = ["fetch"]
data_dir  = %q
lock_dir  = %q
consul {
  address = %q
}
announce {
  max = 100000
}
fetch {
  min_delay = "6h"
  max_delay = "24h"
}
`, filepath.Join(dir, "data"), filepath.Join(dir, "lock"), server.Address())
	if err := os.WriteFile(job, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"})
	if err != nil {
		b.Fatal(err)
	}
	defer systemd.Close()
	for b.Loop() {
		cmd := exec.Command(program, "agent", "-config-file="+job)
		log := &logged{}
		cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(cleanEnvironment(), "NOTIFY_SOCKET="+systemd.LocalAddr().String())
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		idle := rests(b, systemd, cmd.Process.Pid, n)
		started := cpuTime(b, cmd.Process.Pid)
		if idle {
			<-time.After(settleFor)
		}
		cpu, began := cpuTime(b, cmd.Process.Pid), time.Now()
		if idle {
			<-time.After(idleFor)
		}
		used := cpuTime(b, cmd.Process.Pid) - cpu
		b.ReportMetric(100*used.Seconds()/time.Since(began).Seconds(), "CPU-%")
		b.ReportMetric(memoryOf(b, cmd.Process.Pid, "VmRSS"), "MB")
		b.ReportMetric(memoryOf(b, cmd.Process.Pid, "VmHWM"), "peak-MB")
		b.ReportMetric(started.Seconds(), "start-CPU-s")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if !idle {
			b.Fatalf("the agent did not come to rest with %d certificates:\n%s", n, log)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// rests waits until the agent says to systemd that it fetches for n certificates, and then until it has nothing to do:
// less than a twentieth of a processor in two seconds.
func rests(b *testing.B, systemd *net.UnixConn, pid, n int) bool {
	b.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	if err := systemd.SetReadDeadline(deadline); err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 4096)
	for said := ""; !strings.Contains(said, fmt.Sprintf("fetching, certificates: %d", n)); {
		k, err := systemd.Read(message)
		if err != nil {
			return false
		}
		said = string(message[:k])
	}
	for time.Now().Before(deadline) {
		before := cpuTime(b, pid)
		<-time.After(2 * time.Second)
		if cpuTime(b, pid)-before < 100*time.Millisecond {
			return true
		}
	}
	return false
}

// cpuTime is what a process has used, in user and system mode (proc(5): fields 14 and 15 of stat, in hundredths of a
// second).
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memoryOf is a figure of /proc/PID/status, in MB.
func memoryOf(b *testing.B, pid int, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name+":" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1000 * 1.024
		}
	}
	b.Fatalf("no %s in status", name)
	return 0
}
