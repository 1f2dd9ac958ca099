package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// packets collects what is sent to a datagram socket.
func packets(t *testing.T, network, address string) (string, *logged) {
	t.Helper()
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	got := &logged{}
	done := make(chan struct{})
	go func() { // ends when conn is closed
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			fmt.Fprintln(got, string(b[:n]))
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String(), got
}

// says waits until all of texts were written.
func (l *logged) says(t *testing.T, texts ...string) {
	t.Helper()
	eventually(t, "what was sent", func() error {
		for _, text := range texts {
			if !strings.Contains(l.String(), text) {
				return fmt.Errorf("no %q", text)
			}
		}
		return nil
	})
}

// An agent's figures reach statsd and dogstatsd under Consul's names, and USR1
// shows them.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	statsd, toStatsd := packets(t, "udp", "127.0.0.1:0")
	dogstatsd, toDogstatsd := packets(t, "udp", "127.0.0.1:0")
	a := newAuthority(t, testca.ResponderOptions{})
	dir := t.TempDir()
	certs := filepath.Join(dir, "certs")
	a.issue(t, certs, testca.IssueOptions{}, "www.example.test")
	job := writeJob(t, filepath.Join(dir, "job.hcl"), fmt.Sprintf(alone, filepath.Join(dir, "data"), filepath.Join(dir, "lock"))+fmt.Sprintf(`
telemetry {
  metrics_prefix   = "staples"
  disable_hostname = true
  statsd_address   = %q
  dogstatsd_addr   = %q
  dogstatsd_tags   = ["edge"]
}
job "edge" {
  certificates {
    paths = [%q]
  }
}
`, statsd, dogstatsd, certs))
	agent := start(t, "agent", "-config-file="+job)
	toStatsd.says(t, "staples.node.stapled:1.000000|g", "staples.fetch.leads:1.000000|g", "staples.fetch.revoked:0.000000|g", "staples.node.revoked:0.000000|g", "staples.fetch.requests:1.000000|c")
	toDogstatsd.says(t, "staples.node.certificates:1", "|#edge", "outcome:fetched")
	eventually(t, "USR1", func() error {
		if err := agent.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(agent.log.String(), "'staples.node.stapled': 1.000") {
			return fmt.Errorf("no figures yet")
		}
		return nil
	})
	if code := agent.stop(t, syscall.SIGINT); code != exitOK {
		t.Errorf("the agent ends with %d", code)
	}
}

// Each line goes to syslog at its own priority; a level that was changed counts
// there too.
func TestSyslog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	_, got := packets(t, "unixgram", socket)
	cfg := hclconfig.Default()
	w, err := openSyslog("unixgram", socket, "LOCAL3")
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{syslog: w, InterceptLogger: hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: &logged{}})}
	defer j.close()
	j.follow(cfg)
	j.Named("writer").Info("told", "a", 1)
	j.Error("broken")
	j.Debug("not told")
	const local3 = 19 << 3
	got.says(t, fmt.Sprintf("<%d>", local3|6), "[INFO]  writer: told: a=1", fmt.Sprintf("<%d>", local3|3), "broken")
	cfg.LogLevel = "debug"
	j.follow(cfg)
	j.Debug("now it is")
	got.says(t, fmt.Sprintf("<%d>", local3|7), "now it is")
	if strings.Contains(got.String(), "not told") || strings.Count(got.String(), "broken") != 1 {
		t.Errorf("syslog got\n%s", got)
	}
}
