package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// patience bounds every wait of these tests.
const patience = 60 * time.Second

// eventually waits until check has nothing to object.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// running is a consul-ocsp that runs beside the test.
type running struct {
	cmd  *exec.Cmd
	log  *logged
	done chan struct{}
}

// logged is what a process has written.
type logged struct{ logtest.Text }

// start runs consul-ocsp with args until the test ends, or stop or kill.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	p := &running{cmd: exec.Command("consul-ocsp", args...), log: &logged{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = cleanEnvironment()
	p.begin(t)
	return p
}

func (p *running) begin(t *testing.T) {
	t.Helper()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		for _, bad := range []string{"DATA RACE", "panic: "} {
			if strings.Contains(p.log.String(), bad) {
				t.Errorf("%s in the output of %s", bad, p.cmd.Args[0])
			}
		}
		if p.cmd.Args[0] == "consul-ocsp" {
			wantKnownReasons(t, p.log.String(), " reason=")
		}
		if t.Failed() {
			t.Logf("%s:\n%s", strings.Join(p.cmd.Args, " "), p.log)
		}
	})
}

// knownReasons are the words that may say why, anywhere.
var knownReasons = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for _, r := range plugin.Reasons() {
		known[r.Reason] = true
	}
	return known
})

// wantKnownReasons checks that what stands behind mark, up to what ends a word, is
// a reason, wherever it is in text: the words of log, metrics, status and README
// are the same.
func wantKnownReasons(t *testing.T, text, mark string) {
	t.Helper()
	for _, part := range strings.Split(text, mark)[1:] {
		word := part
		if end := strings.IndexAny(part, " \"\n\r"); end >= 0 {
			word = part[:end]
		}
		if word == "" && strings.HasSuffix(mark, `: "`) {
			continue // JSON's for none
		}
		if !knownReasons()[word] {
			t.Errorf("%s%s is none of the README's reasons", mark, word)
		}
	}
}

// cleanEnvironment keeps the variables of the developer's own Consul out.
func cleanEnvironment() []string {
	var clean []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CONSUL_") {
			clean = append(clean, v)
		}
	}
	return clean
}

// stop ends the process by a signal and is its exit code.
func (p *running) stop(t *testing.T, s os.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%v does not end:\n%s", p.cmd.Args, p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *running) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// says waits until the process has logged text.
func (p *running) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, "log", func() error {
		if !strings.Contains(p.log.String(), text) {
			return fmt.Errorf("no %q in the log", text)
		}
		return nil
	})
}

// command runs consul-ocsp to its end.
func consulOCSP(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.Command("consul-ocsp", args...)
	cmd.Env = cleanEnvironment()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// authority is a CA with its responder, whose requests are counted.
type authority struct {
	*testca.CA
	url      string
	requests atomic.Int64
	stop     func()
	// settle makes the responder know what was issued and revoked.
	settle func()
	last   *testca.Issued
}

// newAuthority runs our own responder.
func newAuthority(t *testing.T, o testca.ResponderOptions) *authority {
	t.Helper()
	a := &authority{CA: initCA(t), settle: func() {}}
	a.serve(t, a.Responder(o))
	return a
}

func initCA(t *testing.T) *testca.CA {
	t.Helper()
	ca, err := testca.Init(filepath.Join(t.TempDir(), "ca"), testca.InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// newOpenSSLAuthority runs the responder of openssl. It listens on every
// interface, so it lives in a network namespace of its own; what leads there
// is a unix socket.
func newOpenSSLAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{CA: initCA(t)}
	dir, err := os.MkdirTemp("", "ocsp")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	const script = `ip link set lo up
openssl ocsp -port 2560 -index "$1/index.txt" -CA "$1/ca.pem" -rsigner "$1/ca.pem" -rkey "$1/ca.key" -nmin 60 &
trap 'kill $!' EXIT
socat UNIX-LISTEN:"$2",fork TCP:127.0.0.1:2560,retry=50,interval=0.1`
	namespace := []string{"--net"}
	if os.Getuid() != 0 {
		namespace = append(namespace, "--map-root-user")
	}
	args := append(namespace, "sh", "-c", script, "sh", a.Dir(), socket)
	p := &running{cmd: exec.Command("unshare", args...), log: &logged{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.begin(t)
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		os.RemoveAll(dir)
	})
	eventually(t, "openssl ocsp", func() error { _, err := os.Stat(socket); return err })
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "responder"})
	proxy.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}
	a.serve(t, proxy)
	a.settle = func() {
		// openssl looks at its index before it waits for a request: one more is
		// answered by the old one.
		request, err := staple.NewRequest(a.last.Leaf, a.Certificate())
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: proxy.Transport}).Post("http://responder/", "application/ocsp-request", bytes.NewReader(request))
		if err == nil {
			err = response.Body.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func (a *authority) serve(t *testing.T, h http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		h.ServeHTTP(w, r)
	})}
	a.url = "http://" + l.Addr().String()
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }() // ends with stop
	a.stop = sync.OnceFunc(func() { server.Close(); <-done })
	t.Cleanup(a.stop)
}

// issue makes certificates in a folder.
func (a *authority) issue(t *testing.T, dir string, o testca.IssueOptions, names ...string) []*testca.Issued {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var all []*testca.Issued
	for _, name := range names {
		o := o
		o.File = filepath.Join(dir, name+".pem")
		if o.Responders == nil {
			o.Responders = []string{a.url}
		}
		i, err := a.Issue([]string{name}, o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
		a.last = i
	}
	a.settle()
	return all
}

// revoke revokes the certificate of this name.
func (a *authority) revoke(t *testing.T, name string) {
	t.Helper()
	if err := a.Revoke(name); err != nil {
		t.Fatal(err)
	}
	a.settle()
}

// copyFolder copies the certificates of one node to another.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// writeJob writes a job file.
func writeJob(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sClient is what openssl's client is shown by a server.
func sClient(address, name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", "s_client", "-connect", address, "-servername", name, "-status")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// stapled waits until openssl's client is shown this status.
func stapled(t *testing.T, address, name, status string) {
	t.Helper()
	eventually(t, fmt.Sprintf("handshake with %s for %s", address, name), func() error {
		out, err := sClient(address, name)
		if !strings.Contains(out, "Cert Status: "+status) {
			_, rest, _ := strings.Cut(out, "OCSP response:")
			return fmt.Errorf("no status %s but %.60q, %v", status, rest, err)
		}
		return nil
	})
}
