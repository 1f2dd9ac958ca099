package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built is the program as it is shipped: the test's own is larger.
func built(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "consul-ocsp")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// measured is a running agent of which figures are taken.
type measured struct {
	b   *testing.B
	cmd *exec.Cmd
	log *logged
}

func startMeasured(b *testing.B, binary string, args ...string) *measured {
	b.Helper()
	m := &measured{b: b, cmd: exec.Command(binary, args...), log: &logged{}}
	m.cmd.Stdout, m.cmd.Stderr, m.cmd.Env = m.log, m.log, cleanEnvironment()
	if err := m.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.kill)
	return m
}

// memory is what /proc/<pid>/status says in MB, such as VmRSS and VmHWM.
func (m *measured) memory(field string) float64 {
	m.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid))
	if err != nil {
		m.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), field+":")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		m.b.Fatal(err)
	}
	return float64(kilobytes) / 1024
}

// processorTime is what a process has used so far.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	var ticks int
	for _, field := range strings.Fields(rest)[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func (m *measured) signal(s syscall.Signal) {
	m.b.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.b.Fatal(err)
	}
}

// kill ends the agent, if it has not ended.
func (m *measured) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}
