package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// manager is what systemd is to a service: a socket that takes messages.
type manager struct {
	conn *net.UnixConn
	name string
}

// newManager listens at a socket's path, or at a name that begins with "@".
func newManager(t *testing.T, name string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{conn: conn, name: name}
}

// next is the next message, as its assignments.
func (m *manager) next(t *testing.T) map[string]string {
	t.Helper()
	message, err := m.read(patience)
	if err != nil {
		t.Fatalf("no message: %v", err)
	}
	return message
}

func (m *manager) read(wait time.Duration) (map[string]string, error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	b := make([]byte, 4096)
	n, err := m.conn.Read(b)
	if err != nil {
		return nil, err
	}
	message := map[string]string{}
	for line := range strings.Lines(string(b[:n])) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			return nil, fmt.Errorf("%q is no assignment", line)
		}
		message[name] = value
	}
	return message, nil
}

// until is the first message with an assignment of this name, and those before.
func (m *manager) until(t *testing.T, name string) (message map[string]string, before []map[string]string) {
	t.Helper()
	for {
		message = m.next(t)
		if message[name] != "" {
			return message, before
		}
		before = append(before, message)
	}
}

// launch starts a node's agent as systemd does.
func (m *manager) launch(t *testing.T, n *node, environment ...string) {
	t.Helper()
	n.agent = &running{cmd: exec.Command("consul-ocsp", "agent", "-config-file="+n.job), log: &logged{}, done: make(chan struct{})}
	n.agent.cmd.Stdout, n.agent.cmd.Stderr = n.agent.log, n.agent.log
	n.agent.cmd.Env = append(cleanEnvironment(), "NOTIFY_SOCKET="+m.name)
	n.agent.cmd.Env = append(n.agent.cmd.Env, environment...)
	n.agent.begin(t)
}

// monotonic is the clock that systemd measures a reload by.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

// What a service manager hears from an agent, from its start to its end.
func TestNotify(t *testing.T) {
	t.Parallel()
	n := newAlone(t, newAuthority(t, testca.ResponderOptions{}), haproxytest.Options{}, "www.example.test")
	n.edit(t, "job ", "fetch {\n  allow_private_addresses = true\n}\njob ")
	m := newManager(t, filepath.Join(n.dir, "notify"))
	m.launch(t, n, "WATCHDOG_USEC=200000")
	ready, before := m.until(t, "READY")
	for _, message := range before {
		if len(message) != 1 || message["STATUS"] == "" {
			t.Errorf("before it is ready it says %v", message)
		}
	}
	if ready["READY"] != "1" || !strings.Contains(ready["STATUS"], "stapled here: ") {
		t.Errorf("ready says %v", ready)
	}
	// It says what it does, as that changes, and that it is alive.
	for {
		if message, _ := m.until(t, "STATUS"); message["STATUS"] == "fetching, certificates: 1; stapled here: 1 of 1" {
			break
		}
	}
	m.beats(t)

	// A reload begins and ends, also one that is refused.
	for _, test := range []struct{ old, new, status string }{
		{"job ", "log_level = \"debug\"\njob ", "configuration reloaded"},
		{"job ", "nonsense = 1\njob ", "the configuration is refused, the old one goes on; see the log"},
		{"nonsense = 1\n", "", "configuration reloaded"},
	} {
		n.edit(t, test.old, test.new)
		asked := monotonic(t)
		n.hup(t)
		reloading, before := m.until(t, "RELOADING")
		at, err := strconv.ParseInt(reloading["MONOTONIC_USEC"], 10, 64)
		if err != nil || at < asked || at > monotonic(t) || reloading["RELOADING"] != "1" {
			t.Errorf("reloading says %v, between %d and %d", reloading, asked, monotonic(t))
		}
		for _, message := range before {
			if message["READY"] != "" {
				t.Errorf("ready again before the reload: %v", message)
			}
		}
		if ready, _ := m.until(t, "READY"); ready["READY"] != "1" || ready["STATUS"] != test.status {
			t.Errorf("after the reload: %v; want %q", ready, test.status)
		}
	}
	m.beats(t)

	// The last word is that it stops.
	if code := n.agent.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("it ends with %d", code)
	}
	if stopping, _ := m.until(t, "STOPPING"); stopping["STOPPING"] != "1" {
		t.Errorf("stopping says %v", stopping)
	}
	if message, err := m.read(time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after its last word: %v, %v", message, err)
	}
}

// beats checks that signs of life come at half the watchdog's interval, a fifth
// of a second.
func (m *manager) beats(t *testing.T) {
	t.Helper()
	first := time.Now()
	const count = 5
	for range count {
		if message, _ := m.until(t, "WATCHDOG"); message["WATCHDOG"] != "1" {
			t.Errorf("a sign of life says %v", message)
		}
	}
	if took := time.Since(first); took < (count-2)*100*time.Millisecond {
		t.Errorf("%d signs of life within %s", count, took)
	}
}

// Without a watchdog there are no signs of life; systemd inside a container may
// have a socket without a file. A manager that does not listen is no reason to
// end.
func TestNotifyWithoutWatchdog(t *testing.T) {
	t.Parallel()
	n := newAlone(t, newAuthority(t, testca.ResponderOptions{}), haproxytest.Options{}, "www.example.test")
	m := newManager(t, "@consul-ocsp-test-"+strconv.Itoa(os.Getpid()))
	// The watchdog is another process's.
	m.launch(t, n, "WATCHDOG_USEC=10000", "WATCHDOG_PID=1")
	ready, _ := m.until(t, "READY")
	if ready["WATCHDOG"] != "" {
		t.Errorf("ready says %v", ready)
	}
	m.conn.Close()
	n.hup(t)
	n.agent.says(t, "configuration is reloaded")
	if code := n.agent.stop(t, syscall.SIGINT); code != exitOK {
		t.Errorf("it ends with %d", code)
	}
}

// An agent that ends by itself says why.
func TestNotifyFailure(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	one, other := &node{dir: t.TempDir()}, &node{dir: t.TempDir()}
	for _, n := range []*node{one, other} {
		n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), c.head(t, "twin", `"deliver"`, n.dir))
	}
	one.start(t)
	eventually(t, "the first of the name", func() error {
		pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/node/twin", nil)
		if err == nil && pair == nil {
			err = errors.New("not there")
		}
		return err
	})
	m := newManager(t, filepath.Join(other.dir, "notify"))
	m.launch(t, other)
	stopping, _ := m.until(t, "STOPPING")
	if !strings.Contains(stopping["STATUS"], `node name "twin" is in use`) {
		t.Errorf("it says %v", stopping)
	}
	<-other.agent.done
	if code := other.agent.cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("it ends with %d", code)
	}
}
