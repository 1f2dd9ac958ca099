// Package haproxytest runs real HAProxy processes on loopback for tests.
//
// A process is started with given certificates on a free port of 127.0.0.1,
// needs no rights, and ends with its test. Its binary is $HAPROXY_BIN, else
// haproxy on PATH, else /usr/sbin/haproxy; a test without any fails in one
// line. When a test fails, the end of HAProxy's output is in the test's log.
package haproxytest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
)

// patience is generous: ten thousand certificates take a busy machine a minute.
const patience = 90 * time.Second

// Options say how HAProxy is started. The zero value of each is usable, but a
// certificate is needed.
type Options struct {
	Binary       string   // empty: as Binary finds it
	Certs        []string // PEM files with key, or folders of them
	MasterWorker bool     // haproxy -W, with a master's socket
	ExtraGlobal  string   // lines for the global section
	ExtraBind    string   // words for the bind line
	SocketLevel  string   // of the stats socket: "admin" if empty
}

// Process is a running HAProxy.
type Process struct {
	t      testing.TB
	o      Options
	binary string
	dir    string // short: a socket's path has at most 107 bytes
	port   int
	log    *logtest.Text

	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs HAProxy and returns when it accepts connections.
func Start(t testing.TB, o Options) *Process {
	t.Helper()
	dir, err := os.MkdirTemp("", "hap")
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, o: o, binary: o.Binary, dir: dir, log: &logtest.Text{}}
	if p.binary == "" {
		p.binary = Binary(t)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("haproxy's output:\n%s", p.Log())
		}
		os.RemoveAll(dir)
	})
	// Another program can take the port between finding and binding it.
	for range 5 {
		p.port = freePort(t)
		p.writeConfig()
		if p.run() {
			return p
		}
		if !strings.Contains(p.Log(), "cannot bind socket") {
			break
		}
	}
	t.Fatalf("haproxy does not start:\n%s", p.Log())
	return nil
}

// Binary returns the haproxy to run, and fails the test if there is none.
func Binary(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("HAPROXY_BIN"), "haproxy", "/usr/sbin/haproxy"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		} else if name == os.Getenv("HAPROXY_BIN") {
			t.Fatalf("HAPROXY_BIN: %v", err)
		}
	}
	t.Fatal("haproxy is not installed: apt-get install haproxy, or set HAPROXY_BIN")
	return ""
}

// Address is host:port of the TLS listener. It stays the same over restarts.
func (p *Process) Address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// Socket is the path of the stats socket.
func (p *Process) Socket() string { return filepath.Join(p.dir, "s") }

// MasterSocket is the path of the master's socket; empty without MasterWorker.
func (p *Process) MasterSocket() string {
	if !p.o.MasterWorker {
		return ""
	}
	return filepath.Join(p.dir, "m")
}

// MasterPID is the process that was started: the master, or without
// MasterWorker the only one.
func (p *Process) MasterPID() int { return p.cmd.Process.Pid }

// PID is the worker that answers now.
func (p *Process) PID() int {
	p.t.Helper()
	pid := p.workerPID()
	if pid == 0 {
		p.t.Fatalf("haproxy's stats socket does not answer:\n%s", p.Log())
	}
	return pid
}

// Log is what HAProxy wrote so far.
func (p *Process) Log() string { return p.log.String() }

// Reload sends SIGUSR2 to the master and returns when a new worker answers.
func (p *Process) Reload() {
	p.t.Helper()
	if !p.o.MasterWorker {
		p.t.Fatal("haproxytest: Reload needs MasterWorker")
	}
	p.Settle()
	old := p.PID()
	if err := p.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		p.t.Fatal(err)
	}
	if !p.await(func() bool { pid := p.workerPID(); return pid != 0 && pid != old && p.accepts() }) {
		p.t.Fatalf("haproxy does not reload:\n%s", p.Log())
	}
}

// Settle returns when HAProxy takes connections and its master listens to
// signals, which it does not for a moment after a start or reload.
func (p *Process) Settle() {
	p.t.Helper()
	if !p.await(p.accepts) {
		p.t.Fatalf("haproxy does not settle:\n%s", p.Log())
	}
}

// Restart ends HAProxy and starts it again on the same port and sockets.
func (p *Process) Restart() {
	p.t.Helper()
	p.Stop()
	if !p.run() {
		p.t.Fatalf("haproxy does not start again:\n%s", p.Log())
	}
}

// Stop ends HAProxy with its workers. It may be called again.
func (p *Process) Stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
}

// run checks the configuration, starts HAProxy and waits until it answers.
func (p *Process) run() bool {
	p.t.Helper()
	if out, err := exec.Command(p.binary, "-c", "-f", p.ConfigFile()).CombinedOutput(); err != nil {
		p.t.Fatalf("haproxy refuses its configuration: %v\n%s", err, out)
	}
	p.log.Take()
	args := []string{"-db", "-f", p.ConfigFile()}
	if p.o.MasterWorker {
		args = append([]string{"-W", "-S", p.MasterSocket() + ",mode,600"}, args...)
	}
	cmd := exec.Command(p.binary, args...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	// Ends with the process, which Stop ends at the latest.
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	ok := p.await(func() bool { return p.workerPID() != 0 && p.accepts() })
	if !ok {
		p.Stop()
	}
	return ok
}

// accepts says whether the TLS listener takes connections and the master
// answers: for a moment after each start it refuses, while it replaces itself
// by its waiting form.
func (p *Process) accepts() bool {
	conn, err := net.DialTimeout("tcp", p.Address(), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	if !p.o.MasterWorker {
		return true
	}
	answer, err := say(p.MasterSocket(), "show proc", time.Second)
	return err == nil && strings.HasPrefix(answer, "#<PID>")
}

// await tries until it is so, HAProxy ended, or patience is over.
func (p *Process) await(so func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		if so() {
			return true
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return false
		case <-deadline.C:
			return false
		}
	}
}

// workerPID asks the stats socket; 0 if it does not answer.
func (p *Process) workerPID() int {
	answer, err := p.Command("show info")
	if err != nil {
		return 0
	}
	var pid int
	for line := range strings.Lines(answer) {
		if n, _ := fmt.Sscanf(line, "Pid: %d", &pid); n == 1 {
			return pid
		}
	}
	return 0
}

// Command says one line, or a line with its payload, to the stats socket and
// returns the whole answer: what another client of HAProxy would do.
func (p *Process) Command(command string) (string, error) {
	return say(p.Socket(), command, 5*time.Second)
}

func say(socket, command string, timeout time.Duration) (string, error) {
	conn, err := net.DialTimeout("unix", socket, timeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := fmt.Fprintf(conn, "%s\n", command); err != nil {
		return "", err
	}
	// The master closes only after its client did.
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		return "", err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(conn)
	return b.String(), err
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
