package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// oneAnswer is a responder's clock that moves only by hand, so that its answers
// are new when the test wants it.
type oneAnswer struct{ back atomic.Int64 }

func newOneAnswer(back time.Duration) *oneAnswer {
	c := &oneAnswer{}
	c.back.Store(int64(back))
	return c
}

func (c *oneAnswer) now() time.Time { return time.Now().Add(-time.Duration(c.back.Load())) }

// consul-template renders a staple from the raw key and through the plugin,
// byte for byte, and again when it is refreshed.
func TestTemplate(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	clock := newOneAnswer(10 * time.Minute)
	a := newAuthority(t, testca.ResponderOptions{Now: clock.now})
	c := newCluster(t, a)
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	n := c.nodes[0]
	id := staple.ID(a.last.Leaf)
	first := raw(t, c.consul, "consul-ocsp/v1/der/"+id)

	byKey := filepath.Join(n.dir, "key.ocsp")
	byPlugin := filepath.Join(n.dir, "plugin.ocsp")
	templates := map[string]string{
		byKey: fmt.Sprintf(`{{ key "consul-ocsp/v1/der/%s" -}}`, id),
		byPlugin: fmt.Sprintf(`{{ with key "consul-ocsp/v1/head" -}}
{{ plugin "consul-ocsp" "render" "-config-file" %q "-cert" %q | base64Decode }}
{{- end -}}
`, n.job, n.certificate(www)),
	}
	template := startTemplate(t, c.consul, templates)
	same := func(want []byte) {
		t.Helper()
		for path := range templates {
			eventually(t, filepath.Base(path), func() error {
				if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
					return fmt.Errorf("%d bytes are not the %d in Consul; %v", len(got), len(want), err)
				}
				return nil
			})
		}
	}
	same(first)

	// One refresh, by a pass of its own; consul-template goes on all the while.
	if code := c.fetcher.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("the fetcher ends with %d", code)
	}
	clock.back.Store(0)
	if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+c.job); code != exitOK {
		t.Fatalf("fetch -force ends with %d:\n%s", code, out)
	}
	second := raw(t, c.consul, "consul-ocsp/v1/der/"+id)
	if bytes.Equal(first, second) {
		t.Fatal("the refresh brought no new response")
	}
	same(second)
	select {
	case <-template.done:
		t.Error("consul-template has ended")
	default:
	}
}

// startTemplate runs consul-template with these templates, by the file that
// each of them renders; more are arguments besides.
func startTemplate(t *testing.T, s *consultest.Server, templates map[string]string, more ...string) *running {
	t.Helper()
	args := append([]string{"-consul-addr=" + s.Address(), "-log-level=info"}, more...)
	for path, text := range templates {
		source := writeJob(t, path+".ctmpl", text)
		args = append(args, "-template="+source+":"+path)
	}
	p := &running{cmd: exec.Command(consultest.Binary(t, "consul-template"), args...), log: &logged{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// Under the race detector each plugin would sleep a second at its end.
	p.cmd.Env = append(cleanEnvironment(), strings.TrimSpace("GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	p.begin(t)
	return p
}

// raw is what curl gets of a key with ?raw.
func raw(t *testing.T, s *consultest.Server, key string) []byte {
	t.Helper()
	response, err := http.Get("http://" + s.Address() + "/v1/kv/" + key + "?raw")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", key, response.Status, err)
	}
	return b
}

// rendered runs the command render.
func rendered(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command("consul-ocsp", append([]string{"render"}, args...)...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &err, cleanEnvironment()
	if failure := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(failure)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// What render prints comes from Consul, and when that is gone, from data_dir.
func TestRender(t *testing.T) {
	t.Parallel()
	const www, later = "www.example.test", "later.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	c := newCluster(t, a)
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	n := c.nodes[0]
	der := string(raw(t, c.consul, "consul-ocsp/v1/der/"+staple.ID(a.last.Leaf)))
	job := "-config-file=" + n.job
	renders := func(want string, args ...string) {
		t.Helper()
		if out, text, code := rendered(t, append([]string{job}, args...)...); out != want || code != exitOK {
			t.Errorf("render %v prints %q and ends with %d: %s", args, out, code, text)
		}
	}
	line := base64.StdEncoding.EncodeToString([]byte(der)) + "\n"
	renders(line, "-cert="+n.certificate(www))
	renders(line, "-name=edge/"+www)
	renders(line, "-format=base64", "-name=edge/"+www)
	renders(der, "-format=der", "-name=edge/"+www)
	renders(string(pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: []byte(der)})), "-format=pem", "-name=edge/"+www)
	renders("set ssl ocsp-response <<\n"+line+"\n", "-format=haproxy", "-name=edge/"+www)
	renders("")
	renders("", "")
	renders("", "-cert=", "-name=")
	renders("", "-cert", "", "")
	renderedJSON(t, der, job, "-name=edge/"+www)

	// A certificate that nobody has a response for, and that no job names.
	other := filepath.Join(n.dir, "other")
	a.issue(t, other, testca.IssueOptions{}, later)
	none := filepath.Join(other, later+".pem")
	nothing(t, "no verified staple", job, "-cert="+none)
	nothing(t, "no verified staple", job, "-cert="+none, "-format=der", "-wait=1s")
	nothing(t, "edge/absent", job, "-name=edge/absent")

	// It comes while somebody waits for it: the node gets the certificate.
	waiting := start(t, "render", job, "-cert="+none, "-wait=1m")
	copyFolder(t, other, filepath.Join(n.dir, "certs"))
	select {
	case <-waiting.done:
	case <-time.After(patience):
	}
	if out := strings.TrimSpace(waiting.log.String()); waiting.cmd.ProcessState.ExitCode() != exitOK || len(out) < 100 {
		t.Errorf("render -wait prints %q", out)
	}

	// What another user may read nothing of is no reason not to ask Consul.
	unusable := strings.Replace(readText(t, n.job), filepath.Join(n.dir, "data"), filepath.Join(n.job, "data"), 1)
	elsewhere := writeJob(t, filepath.Join(n.dir, "elsewhere.hcl"), unusable)
	if out, text, code := rendered(t, "-config-file="+elsewhere, "-cert="+n.certificate(www)); out != line || code != exitOK {
		t.Errorf("without a data_dir render ends with %d: %s", code, text)
	}

	c.consul.Stop()
	renders(line, "-cert="+n.certificate(www))
	nothing(t, "data_dir", "-config-file="+elsewhere, "-cert="+n.certificate(www))
}

// nothing checks that render prints nothing for a template to take, and says
// why.
func nothing(t *testing.T, why string, args ...string) {
	t.Helper()
	if out, text, code := rendered(t, args...); out != "" || code != exitFailed || !strings.Contains(text, why) {
		t.Errorf("render %v prints %q, says %q and ends with %d", args, out, text, code)
	}
}

func renderedJSON(t *testing.T, der string, args ...string) {
	t.Helper()
	out, text, code := rendered(t, append(args, "-format=json")...)
	var document struct {
		Status string
		DER    []byte
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil || code != exitOK || document.Status != "good" || string(document.DER) != der {
		t.Errorf("render -format=json prints %s and ends with %d: %v %s", out, code, err, text)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
