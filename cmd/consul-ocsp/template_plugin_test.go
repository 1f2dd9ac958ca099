package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// byPlugin is a template that runs the plugin whenever something was published,
// with these arguments and what follows.
func byPlugin(tail string, args ...string) string {
	var quoted strings.Builder
	for _, arg := range args {
		fmt.Fprintf(&quoted, " %q", arg)
	}
	return `{{ $g := key "consul-ocsp/v1/head" -}}` + "\n" + `{{ plugin "consul-ocsp" "render"` + quoted.String() + tail
}

// Every format comes through consul-template, again and again: a publication
// that changes nothing here writes nothing.
func TestTemplateFormats(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	n, i := c.nodes[0], intruder{t, c}
	der := i.get("der/" + staple.ID(c.authority.last.Leaf))
	c.fetcher.stop(t, syscall.SIGTERM)

	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	with := func(format, tail string) string {
		return byPlugin(tail, "-config-file", n.job, "-format", format, "-name", "edge/"+www)
	}
	p := startTemplate(t, c.consul, map[string]string{
		at("base64"): with("base64", " }}\n"), at("decoded"): with("base64", " | base64Decode -}}\n"), at("der"): with("der", " -}}\n"),
		at("pem"): with("pem", " }}\n"), at("json"): with("json", " }}\n"), at("haproxy"): with("haproxy", " }}\n\n"),
		at("head"): `{{ key "consul-ocsp/v1/head" }}`,
		at("twice"): with("base64", " }}\n") + `{{ plugin "consul-ocsp" "render" "-config-file" "` + n.job + `" "-cert" "` +
			n.certificate(www) + `" }}` + "\n",
		// What consul-template passes on of an empty argument is nothing at all.
		at("empty"): byPlugin(" }}", "-cert", "") + `{{ plugin "consul-ocsp" "render" "-cert" (keyOrDefault "absent" "") "-format" "json" }}`,
	})
	line := base64.StdEncoding.EncodeToString(der) + "\n"
	written := map[string]time.Time{}
	for name, want := range map[string]string{
		"base64": line, "decoded": string(der), "twice": line + line, "empty": "",
		"der":     strings.TrimSpace(string(der)), // consul-template's doing
		"pem":     string(pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: der})),
		"haproxy": "set ssl ocsp-response <<\n" + line + "\n",
	} {
		renders(t, at(name), []byte(want), nil)
		written[name] = modified(t, at(name))
	}
	eventually(t, "json", func() error { _, err := os.Stat(at("json")); return err })
	written["json"] = modified(t, at("json"))
	var document struct{ DER []byte }
	if err := json.Unmarshal([]byte(readText(t, at("json"))), &document); err != nil || !bytes.Equal(document.DER, der) {
		t.Errorf("json: %v: %s", err, readText(t, at("json")))
	}
	// HAProxy takes the rendered command as it is.
	if answer, err := n.haproxy.Command(strings.TrimSuffix(readText(t, at("haproxy")), "\n")); err != nil || !strings.Contains(answer, "OCSP Response updated") {
		t.Errorf("HAProxy says %q to the rendered command, %v", answer, err)
	}

	for range 3 {
		head, err := record.ParseHead(i.get("head"))
		if err != nil {
			t.Fatal(err)
		}
		next := record.Head{Generation: head.Generation + 1, Nonce: record.NewNonce(), Before: head.Nonce}.Encode()
		i.put("head", next)
		eventually(t, "consul-template sees the head", func() error {
			if got := readText(t, at("head")); got != string(next) {
				return fmt.Errorf("it has %q", got)
			}
			return nil
		})
	}
	for name, when := range written {
		if got := modified(t, at(name)); !got.Equal(when) {
			t.Errorf("%s was written again", name)
		}
	}
	if p.ended() {
		t.Error("consul-template has ended")
	}
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

// ended says whether the process is no more.
func (p *running) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// A forged response is never rendered. Where data_dir has the last good one the
// plugin gives that; elsewhere it fails, and the file stays as it is: with
// consul-template's defaults that ends consul-template, with error_fatal = false
// it goes on and renders the next good one.
func TestTemplateForged(t *testing.T) {
	t.Parallel()
	clock := newOneAnswer(10 * time.Minute)
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{Now: clock.now}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	n, i := c.nodes[0], intruder{t, c}
	issued := c.authority.last
	id := staple.ID(issued.Leaf)
	first := i.get("der/" + id)
	c.fetcher.stop(t, syscall.SIGTERM)

	dir := t.TempDir()
	elsewhere := writeJob(t, filepath.Join(dir, "elsewhere.hcl"),
		strings.Replace(readText(t, n.job), filepath.Join(n.dir, "data"), filepath.Join(dir, "no-data"), 1))
	template := func(file, job string) map[string]string {
		text := `{{ with key "consul-ocsp/v1/head" -}}{{ plugin "consul-ocsp" "render" "-config-file" %q "-cert" %q | base64Decode }}{{ end -}}`
		return map[string]string{file: fmt.Sprintf(text, job, n.certificate(www))}
	}
	tolerant := writeJob(t, filepath.Join(dir, "tolerant.hcl"), "template_error_fatal = false\n")
	kept, strict, patient := filepath.Join(dir, "kept"), filepath.Join(dir, "strict"), filepath.Join(dir, "patient")
	keeps := startTemplate(t, c.consul, template(kept, n.job))
	dies := startTemplate(t, c.consul, template(strict, elsewhere))
	waits := startTemplate(t, c.consul, template(patient, elsewhere), "-config="+tolerant)
	all := []string{kept, strict, patient}
	for _, file := range all {
		renders(t, file, first, nil)
	}

	forged := lies(t, c.authority, issued, issued)[1]
	i.publish(id, forged.der, time.Now().Add(time.Hour))
	n.refuses(t, id, forged)
	waits.says(t, "no verified staple")
	select {
	case <-dies.done:
	case <-time.After(patience):
		t.Fatal("consul-template goes on after a fatal error")
	}
	if code := dies.cmd.ProcessState.ExitCode(); code != 14 || !strings.Contains(dies.log.String(), "signature") {
		t.Errorf("consul-template ends with %d; want 14, and what is wrong with the response", code)
	}
	for _, file := range all {
		if !bytes.Equal([]byte(readText(t, file)), first) {
			t.Errorf("%s is not the last good response", file)
		}
	}

	// A good one follows.
	clock.back.Store(0)
	if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+c.job); code != exitOK {
		t.Fatalf("fetch -force ends with %d:\n%s", code, out)
	}
	second := i.get("der/" + id)
	renders(t, kept, second, first)
	renders(t, patient, second, first)
	if keeps.ended() || waits.ended() {
		t.Error("consul-template has ended")
	}
}

// A Consul that takes connections and never answers holds the plugin up for a
// few seconds and as long as it was told to wait, not until it is killed.
func TestTemplateSilentConsul(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir := t.TempDir()
	a := newAuthority(t, testca.ResponderOptions{})
	a.issue(t, dir, testca.IssueOptions{}, www)
	cert := filepath.Join(dir, www+".pem")
	job := writeJob(t, filepath.Join(dir, "node.hcl"), fmt.Sprintf(clusterJob, "node-1", `"deliver"`,
		filepath.Join(dir, "data"), filepath.Join(dir, "lock"), silent.Addr(), "", brief, ""))
	template := writeJob(t, filepath.Join(dir, "www.ctmpl"),
		fmt.Sprintf(`{{ plugin "consul-ocsp" "render" "-config-file" %q "-cert" %q | base64Decode -}}`, job, cert))

	const look, slack = 5 * time.Second, 5 * time.Second
	for _, wait := range []time.Duration{0, 8 * time.Second} {
		began := time.Now()
		nothing(t, "no verified staple", "-config-file="+job, "-cert="+cert, "-wait="+wait.String())
		if took := time.Since(began); took < max(look, wait) || took > look+wait+slack {
			t.Errorf("render -wait=%s takes %s", wait, took)
		}
	}
	began := time.Now()
	cmd := exec.Command(consultest.Binary(t, "consul-template"), "-once", "-template="+template+":"+filepath.Join(dir, "out"))
	cmd.Env = cleanEnvironment()
	out, _ := cmd.CombinedOutput()
	if code, took := cmd.ProcessState.ExitCode(), time.Since(began); code != 14 || took > look+2*slack || !strings.Contains(string(out), "no verified staple") {
		t.Errorf("consul-template ends with %d after %s:\n%s", code, took, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); !os.IsNotExist(err) {
		t.Errorf("something was rendered: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Errorf("the plugin made a data_dir: %v", err)
	}
}
