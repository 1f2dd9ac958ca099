package writer

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// webServer is a real nginx on a free port of 127.0.0.1.
type webServer struct {
	t       *testing.T
	folder  string
	address string
}

func newWebServer(t *testing.T) *webServer {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Fatal("nginx is not installed: run testdata/tools/install")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := &webServer{t: t, folder: t.TempDir(), address: l.Addr().String()}
	t.Cleanup(func() {
		_ = exec.Command("nginx", append(n.args(), "-s", "stop")...).Run()
		// The folder may go once nothing writes to it any more.
		clocktest.Eventually(t, "nginx to end", func() bool {
			_, err := os.Stat(filepath.Join(n.folder, "pid"))
			return os.IsNotExist(err)
		})
	})
	return n
}

func (n *webServer) args() []string {
	return []string{"-p", n.folder, "-e", "error.log", "-c", "nginx.conf"}
}

func (n *webServer) command(extra ...string) []string {
	return append(append([]string{"nginx"}, n.args()...), extra...)
}

// configure writes the configuration; extra goes into the server block.
func (n *webServer) configure(extra string) {
	n.t.Helper()
	text := fmt.Sprintf(`pid pid;
events {}
http {
	access_log off; # not "needed"
	server {
		listen %s ssl;
		server_name www.example.com;
		ssl_stapling on;
		%s
	}
}
`, n.address, extra)
	if err := os.WriteFile(filepath.Join(n.folder, "nginx.conf"), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *webServer) start() {
	n.t.Helper()
	if out, err := exec.Command("nginx", n.args()...).CombinedOutput(); err != nil {
		n.t.Fatalf("nginx: %v\n%s", err, out)
	}
}

// staple is what a handshake shows, nil where nothing answers.
func (n *webServer) staple() []byte {
	c, err := tls.Dial("tcp", n.address, &tls.Config{InsecureSkipVerify: true, ServerName: "www.example.com"})
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.ConnectionState().OCSPResponse
}

// target makes the target; each reload leaves a line in the file reloads.
func (n *webServer) target(b *bench, file string) Target {
	script := `echo reloaded >>"$0/reloads" && exec nginx "$@" -s reload`
	return NewNginx(NginxConfig{
		Name: "nginx", Reload: append([]string{"sh", "-c", script, n.folder}, n.args()...), Test: n.command("-t"), File: file,
		StateDir: filepath.Join(n.folder, "state"), Logger: hclog.NewNullLogger(), Now: b.clock.Now,
		Gather: -1, Pause: -1, // the clock stands still
	})
}

func (n *webServer) reloads() int {
	b, _ := os.ReadFile(filepath.Join(n.folder, "reloads"))
	return bytes.Count(b, []byte("\n"))
}

func TestNginxStaplesWithFewReloads(t *testing.T) {
	b, n := newBench(t), newWebServer(t)
	cert := b.issue("www.example.com")
	cert.NotHAProxy = true
	target := n.target(b, filepath.Join(n.folder, "{name}.ocsp"))
	cert.Targets = []Target{target}
	file := filepath.Join(n.folder, "www.example.com.ocsp")
	n.configure(fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; ssl_stapling_file %s;", cert.Path, cert.Path, file))
	b.writer.Set([]Certificate{cert})
	src := newFeed()
	stop := b.run(src)

	// nginx is not there yet: the file is, and the reload goes on failing.
	first := b.answer(cert, time.Minute)
	src.list <- []record.Staple{from(cert, first)}
	clocktest.Eventually(t, "the failed reload to show", func() bool { return b.state(cert).Targets[0].Reason == ReasonReload })
	b.holds(file, first)
	n.start()
	clocktest.Eventually(t, "the first staple", func() bool { return bytes.Equal(n.staple(), first) })
	clocktest.Eventually(t, "the state", func() bool { s := b.state(cert).Targets[0]; return s.Reason == "" && s.How == Reloaded })

	// The next one is written, and waits for half of the first one's life.
	before := n.reloads()
	b.clock.add(10 * time.Minute)
	second := b.answer(cert, time.Minute)
	src.list <- []record.Staple{from(cert, second)}
	clocktest.Eventually(t, "the second to be written", func() bool { return b.state(cert).Targets[0].How == Filed })
	b.holds(file, second)
	if got := n.reloads(); got != before {
		t.Errorf("%d reloads for a staple that could wait", got-before)
	}
	b.clock.add(25 * time.Minute)
	clocktest.Eventually(t, "the second staple", func() bool { return bytes.Equal(n.staple(), second) })

	// A configuration that would not load is left alone and said.
	n.configure("nonsense;")
	gone := b.answer(cert, 0, revoked)
	src.list <- []record.Staple{from(cert, gone)}
	clocktest.Eventually(t, "the failed test", func() bool { return b.state(cert).Targets[0].Reason == ReasonTest })
	if text := b.state(cert).Targets[0].Error; !strings.Contains(text, `unknown directive "nonsense"`) {
		t.Errorf("it says %q", text)
	}
	// An old worker may answer for a moment more.
	clocktest.Eventually(t, "the second staple, still", func() bool { return bytes.Equal(n.staple(), second) })
	n.configure(fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; ssl_stapling_file %s;", cert.Path, cert.Path, file))
	clocktest.Eventually(t, "the revocation, which waits for nothing", func() bool { return bytes.Equal(n.staple(), gone) })

	// A new process knows what nginx has loaded.
	clocktest.Eventually(t, "the last reload to be noted", func() bool { return b.state(cert).Targets[0].How == Reloaded })
	stop()
	before = n.reloads()
	b.restart()
	cert.Targets = []Target{n.target(b, filepath.Join(n.folder, "{name}.ocsp"))}
	b.writer.Set([]Certificate{cert})
	if r := b.writer.Pass(t.Context(), nil)[0]; r.Outcome != Unchanged || n.reloads() != before {
		t.Errorf("%+v, and %d more reloads", r, n.reloads()-before)
	}
}

func TestNginxWithOneStapleForTwoCertificates(t *testing.T) {
	b, n := newBench(t), newWebServer(t)
	first, other := b.issue("www.example.com"), b.issue("www2.example.com")
	first.Targets = []Target{n.target(b, "")}
	if err := os.WriteFile(first.Path+".ocsp", b.answer(first, time.Hour), 0o600); err != nil {
		t.Fatal(err)
	}
	n.configure(fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; ssl_certificate %s; ssl_certificate_key %s; ssl_stapling_file %s.ocsp;",
		first.Path, first.Path, other.Path, other.Path, first.Path))
	n.start()
	b.writer.Set([]Certificate{first})
	r := b.writer.Pass(t.Context(), []record.Staple{from(first, b.answer(first, 0))})[0]
	if r.Reason != ReasonShared || !strings.Contains(r.Error, first.Path+" and "+other.Path) {
		t.Errorf("%+v", r)
	}
}

// A file that nginx loads at its start stays whole whatever happens to the
// certificate.
func TestFileOfNginxIsNeverMissing(t *testing.T) {
	b, n := newBench(t), newWebServer(t)
	cert := b.issue("www.example.com")
	cert.NotHAProxy = true
	file := filepath.Join(n.folder, "www.example.com.ocsp")
	n.configure(fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; ssl_stapling_file %s;", cert.Path, cert.Path, file))
	cert.Targets = []Target{n.target(b, filepath.Join(n.folder, "{name}.ocsp"))}
	b.writer.Set([]Certificate{cert})
	var last []byte
	// Also one of five minutes, too short for HAProxy, and one that is revoked.
	for _, change := range []func(*testca.Answer){
		func(*testca.Answer) {}, func(a *testca.Answer) { a.NextUpdate = a.ThisUpdate.Add(5 * time.Minute) }, revoked,
	} {
		b.clock.add(time.Second)
		last = b.answer(cert, 0, change)
		b.writer.Pass(t.Context(), []record.Staple{from(cert, last)})
		b.holds(file, last)
	}
	// Nothing newer comes, and what is there ends.
	b.clock.add(48 * time.Hour)
	b.writer.Pass(t.Context(), nil)
	b.holds(file, last)
	n.start() // it does with such a file
	if !bytes.Equal(n.staple(), last) {
		t.Error("the staple is missing")
	}
}

func FuzzSharedStaples(f *testing.F) {
	for _, config := range []string{
		`http { server { server_name a; ssl_certificate a.pem; ssl_certificate 'b.pem'; ssl_stapling_file /x; } }`,
		`server { ssl_certificate "${a}"; location ~ ^/\{ { return 200 "}"; } } # x`,
		"}}};;{{{\\", `"`,
	} {
		f.Add(config)
	}
	f.Fuzz(func(t *testing.T, config string) {
		for file, err := range sharedStaples(config) {
			if file == "" && !strings.Contains(config, `""`) && !strings.Contains(config, `''`) || ReasonOf(err) != ReasonShared {
				t.Errorf("%q: %v", file, err)
			}
		}
	})
}

func TestSharedStaplesFollowInheritance(t *testing.T) {
	for config, want := range map[string]string{
		`http { ssl_certificate a; ssl_certificate b; server { ssl_stapling_file f; } }`:                               "f",
		`http { ssl_certificate a; server { ssl_certificate b; ssl_stapling_file f; } }`:                               "",
		`http { ssl_stapling_file f; server { ssl_certificate a; ssl_certificate b; } server { ssl_certificate c; } }`: "f",
		`server { ssl_certificate a; ssl_stapling_file f; } server { ssl_certificate b; ssl_certificate c; }`:          "",
		`server { ssl_certificate a;# ssl_certificate b;
			ssl_stapling_file "f g"; location ~ "^/\d{3}$" { return 200 '{'; } ssl_certificate b; }`: "f g",
	} {
		var got []string
		for file := range sharedStaples(config) {
			got = append(got, file)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
}

// A reload that fails every minute of a day makes one error, and one line when it
// works again.
func TestNginxThatIsNotReloadedAllDay(t *testing.T) {
	b := newBench(t)
	log := &lines{}
	works := filepath.Join(t.TempDir(), "works")
	target := NewNginx(NginxConfig{
		Name: "nginx", Reload: []string{"test", "-e", works}, StateDir: t.TempDir(), Logger: log.logger(), Now: b.clock.Now,
	})
	c := b.issue("www.example.com")
	facts, err := c.verify(b.answer(c, time.Minute), b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Path+".ocsp", facts.DER, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Install(t.Context(), Staple{Certificate: c, Facts: facts, File: c.Path + ".ocsp"}); err != nil {
		t.Fatal(err)
	}
	for range 24 * 60 / 20 {
		b.clock.add(20 * time.Minute)
		if _, err := target.(Committer).Commit(t.Context(), false); err == nil {
			t.Fatal("it was reloaded")
		}
	}
	if got := log.Take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "[ERROR]") {
		t.Errorf("in a day:\n%s", got)
	}
	if err := os.WriteFile(works, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.clock.add(20 * time.Minute)
	if did, err := target.(Committer).Commit(t.Context(), false); err != nil || !did.Done {
		t.Fatalf("%+v, %v", did, err)
	}
	if got := log.Take(); strings.Count(got, "nginx is reloaded again") != 1 || strings.Contains(got, "[ERROR]") {
		t.Errorf("afterwards:\n%s", got)
	}
}
