package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// byName is the template that follows a name, and with it the rotation of a
// certificate.
const byName = `{{ $id := key "consul-ocsp/v1/name/edge/%s" -}}
{{ key (printf "consul-ocsp/v1/der/%%s" $id) -}}
`

// A template that knows a name renders the staple of the certificate that the
// fleet has now: what the nodes' agents write, and at no time anything else.
func TestTemplateFollowsName(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "").says(t, "this agent leads")
	writeJob(t, c.job, strings.Replace(readText(t, c.job), "announce {", "announce {\n  names = true", 1))
	if err := c.fetcher.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	c.fetcher.says(t, "configuration is reloaded")
	c.addNodes(t, 2, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	old := staple.ID(c.authority.last.Leaf)
	first := raw(t, c.consul, "consul-ocsp/v1/der/"+old)

	dir := t.TempDir()
	named, fixed := filepath.Join(dir, "named.ocsp"), filepath.Join(dir, "fixed.ocsp")
	startTemplate(t, c.consul, map[string]string{
		named: fmt.Sprintf(byName, www), fixed: fmt.Sprintf(`{{ key "consul-ocsp/v1/der/%s" -}}`, old),
	})
	renders(t, named, first, nil)
	renders(t, fixed, first, nil)

	// The fleet rotates together: each node gets the new file.
	rotated := filepath.Join(dir, "rotated")
	issued := c.authority.issue(t, rotated, testca.IssueOptions{NotBefore: time.Now().Add(-time.Minute)}, www)
	for _, n := range c.nodes {
		copyFolder(t, rotated, filepath.Join(n.dir, "certs"))
	}
	id := staple.ID(issued[0].Leaf)
	c.nameIs(t, "edge/"+www, id)
	i := intruder{t, c}
	eventually(t, "response for the rotated certificate", func() error {
		if i.get("der/"+id) == nil {
			return fmt.Errorf("no v1/der/%s", id)
		}
		return nil
	})
	second := i.get("der/" + id)
	renders(t, named, second, first)
	for _, n := range c.nodes {
		eventually(t, n.file(www), func() error {
			if !bytes.Equal(n.response(t, www), second) {
				return fmt.Errorf("it is not yet what the template has")
			}
			return nil
		})
	}
	renders(t, fixed, first, nil)
	c.asked(t, 2)
}

// renders waits until the file is want. Until then it may be before; for nil,
// absent.
func renders(t *testing.T, path string, want, before []byte) {
	t.Helper()
	eventually(t, filepath.Base(path), func() error {
		got, err := os.ReadFile(path)
		switch {
		case err == nil && bytes.Equal(got, want):
			return nil
		case err == nil && before == nil, err != nil && !os.IsNotExist(err), err == nil && !bytes.Equal(got, before):
			t.Fatalf("%s has %d bytes that nobody published; %v", path, len(got), err)
		}
		return fmt.Errorf("not rendered yet; %v", err)
	})
}
