package haproxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// HAProxy itself judges: what it would start with, what not and why.
func TestCheckConfig(t *testing.T) {
	w := newWorld(t)
	cert := w.issue("www.example.com", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{cert.Path}})
	binary := haproxytest.Binary(t)
	if err := haproxy.CheckConfig(t.Context(), binary, []string{p.ConfigFile()}); err != nil {
		t.Errorf("what HAProxy runs with: %v", err)
	}

	broken := filepath.Join(t.TempDir(), "more.cfg")
	if err := os.WriteFile(broken, []byte("frontend more\n  bind 127.0.0.1:1 ssl crt /nonexistent.pem\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := haproxy.CheckConfig(t.Context(), binary, []string{p.ConfigFile(), broken})
	if haproxy.KindOf(err) != haproxy.KindReloadFailed || !strings.Contains(err.Error(), "/nonexistent.pem") {
		t.Errorf("a certificate that is not there: %v", err)
	}
	// A response that HAProxy can't take stops a start up to 3.4.
	ocsp := cert.Path + ".ocsp"
	if err := os.WriteFile(ocsp, []byte("no response"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = haproxy.CheckConfig(t.Context(), binary, []string{p.ConfigFile()})
	if err != nil && haproxy.KindOf(err) != haproxy.KindReloadFailed {
		t.Errorf("a damaged response beside the certificate: %v", err)
	}
	if err := haproxy.CheckConfig(t.Context(), "/nonexistent/haproxy", []string{p.ConfigFile()}); haproxy.KindOf(err) != haproxy.KindUnsupported {
		t.Errorf("a program that is not there: %v", err)
	}
}
