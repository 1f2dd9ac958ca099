package consultest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	// startTimeout is generous: a server is ready in about three seconds on an idle machine.
	startTimeout = 90 * time.Second
	// stopTimeout is how long a server may take to end after SIGTERM before it is killed.
	stopTimeout = 20 * time.Second
	// startTries bounds new choices of ports that somebody else was faster to take.
	startTries = 5
)

// errPortTaken: somebody else listens on a chosen port.
var errPortTaken = errors.New("a port is taken")

// Server is a running Consul server. Start, Stop, Kill, Restart and CreateToken are for the test's own goroutine;
// everything else may be used from any.
type Server struct {
	t        testing.TB
	program  string
	folder   string
	at       place
	join     []string // of a cluster: where the servers' serf listens
	isClient bool     // it only forwards to servers
	node     string
	token    string
	client   *api.Client
	// process is nil while the server is stopped.
	process *process
}

// Start starts a server, waits until it is ready, and stops it when the test ends.
func Start(t testing.TB, o ...Option) *Server {
	t.Helper()
	var opts options
	for _, option := range o {
		option(&opts)
	}
	program := Binary(t, "consul")
	for range startTries {
		p, err := freePorts()
		if err != nil {
			t.Fatalf("consul: %v", err)
		}
		s, err := newServer(t, program, place{address: "127.0.0.1", ports: p}, opts)
		if err != nil {
			t.Fatalf("consul: %v", err)
		}
		err = s.start()
		if err == nil {
			t.Cleanup(s.end)
			return s
		}
		if !errors.Is(err, errPortTaken) {
			t.Fatalf("consul: %v\n%s", err, s.logTail())
		}
		t.Logf("consul: %v; trying others", err)
	}
	t.Fatalf("consul: every choice of ports was taken by others")
	return nil
}

// newServer writes the configuration; nothing runs yet.
func newServer(t testing.TB, program string, at place, opts options) (*Server, error) {
	s := &Server{t: t, program: program, folder: t.TempDir(), at: at, join: opts.join, isClient: opts.client}
	s.node = fmt.Sprintf("consul-%08x", rand.Uint32())
	var err error
	if s.token, err = opts.newToken(); err != nil {
		return nil, err
	}
	if err := s.writeConfig(opts); err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	// Every field that the environment could fill is set: the tests' environment is not the server's.
	s.client, err = api.NewClient(&api.Config{
		Address:    s.Address(),
		Scheme:     "http",
		Token:      s.token,
		HttpClient: &http.Client{Transport: transport},
	})
	return s, err
}

// Address returns host:port of the HTTP API; it never changes.
func (s *Server) Address() string {
	return net.JoinHostPort(s.at.address, strconv.Itoa(s.at.ports.http))
}

// TLSAddress returns host:port of the HTTPS API, where there is one.
func (s *Server) TLSAddress() string {
	return net.JoinHostPort(s.at.address, strconv.Itoa(s.at.ports.https))
}

// Token returns the management token, "" without access control.
func (s *Server) Token() string { return s.token }

// Node returns the name of the server's own node, for rules like session "<node>".
func (s *Server) Node() string { return s.node }

// Client returns a client with the management token. Its idle connections are closed when the test ends.
func (s *Server) Client() *api.Client { return s.client }

// Stop ends the server as an operator does, and waits until it has ended. It does nothing when the server is stopped.
func (s *Server) Stop() {
	s.t.Helper()
	if s.process == nil {
		return
	}
	if !s.process.terminate(stopTimeout) {
		s.t.Errorf("consul: did not end within %v after SIGTERM, killed", stopTimeout)
	}
	s.process = nil
}

// Kill ends the server without warning, as a crash does.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	s.process.kill()
	s.process = nil
}

// Pause stops the server's process in its tracks: it neither answers nor ends, as on a machine that hangs.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

// Reconfigure adds agent configuration in HCL to what it was started with, in place of what was added so before, and
// has the server reload. Only what Consul reloads changes.
func (s *Server) Reconfigure(hcl string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.configFolder(), "2.hcl"), []byte(hcl), 0o600); err != nil {
		s.t.Fatalf("consul: %v", err)
	}
	s.signal(syscall.SIGHUP)
}

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatalf("consul: %v: the server is stopped", signal)
	}
	if err := s.process.cmd.Process.Signal(signal); err != nil {
		s.t.Fatalf("consul: %v: %v", signal, err)
	}
}

// Wipe stops the server and removes its data: started again, it is a new cluster whose indexes begin anew.
func (s *Server) Wipe() {
	s.t.Helper()
	s.Stop()
	if err := os.RemoveAll(s.dataFolder()); err != nil {
		s.t.Fatalf("consul: %v", err)
	}
}

// Restart stops the server if it runs, starts it again with the same data and ports, and waits until it is ready.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		s.t.Fatalf("consul: restart: %v\n%s", err, s.logTail())
	}
}

// start runs the program and waits until it is ready; on an error nothing is left running.
func (s *Server) start() error {
	if err := s.launch(); err != nil {
		return err
	}
	return s.ready()
}

// launch runs the program.
func (s *Server) launch() (err error) {
	program := append(slices.Clone(s.at.enter), s.program)
	s.process, err = startProcess(program, s.configFolder(), s.logFile())
	return err
}

// ready waits until a launched server is ready; it ends one that does not get so.
func (s *Server) ready() error {
	err := s.waitReady(s.process, startTimeout)
	if err == nil {
		return nil
	}
	s.Kill()
	if s.logShowsPortTaken() {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// end is the test's cleanup. Nobody needs the server's good-bye, and one whose peers are gone takes long over it.
func (s *Server) end() {
	s.Kill()
	if s.t.Failed() {
		s.t.Logf("consul: end of its log:\n%s", s.logTail())
	}
}
