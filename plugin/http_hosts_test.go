package plugin

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

func TestExpectedHosts(t *testing.T) {
	own, patterns := []string{"", "node1", "Node1.dc1.example.com"}, []string{"staples.example.net", "*.ops.example.net"}
	for header, want := range map[string]bool{
		"": true, "localhost": true, "localhost:8509": true, "127.0.0.1:8509": true, "10.1.2.3": true, "[::1]:8509": true, "[fe80::1]": true,
		"node1:8509": true, "another": true, "web.localhost": true, "node1.dc1.example.com.:8509": true, "NODE1.DC1.EXAMPLE.COM": true,
		"consul-ocsp.service.consul:8509": true, "ip-10-0-0-1.eu-west-1.compute.internal": true, "pod.ns.svc.cluster.local": true,
		"staples.example.net:80": true, "a.ops.example.net": true,
		"evil.example": false, "node1.evil.example:8509": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false,
		"consul.evil.example": false, "x.staples.example.net": false, "ops.example.net": false, "evil.example:1:2": false, "notlocal.xlocal": false,
	} {
		if got := expected(header, own, patterns); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestSearched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("# search no.example\nnameserver 127.0.0.1\ndomain a.example\nsearch b.example  c.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := searched(path); !slices.Equal(got, []string{"a.example", "b.example", "c.example"}) {
		t.Error(got)
	}
}

func TestPageOf(t *testing.T) {
	for _, c := range []struct {
		block *hclconfig.HTTP
		want  string
	}{
		{nil, ""},
		{&hclconfig.HTTP{Address: "unix:///run/http.sock", Hosts: []string{"a.example"}}, ""},
		{&hclconfig.HTTP{Address: "127.0.0.1:8509"}, ""},
		{&hclconfig.HTTP{Address: ":8509"}, ""},
		{&hclconfig.HTTP{Address: "[::]:8509", Hosts: []string{"*.example", "a.example"}}, "http://a.example:8509/"},
		{&hclconfig.HTTP{Address: "10.0.0.1:8509", TLS: &hclconfig.ServerTLS{}}, "https://10.0.0.1:8509/"},
		{&hclconfig.HTTP{Address: "[fd00::1]:8509"}, "http://[fd00::1]:8509/"},
	} {
		if got := pageOf(c.block); got != c.want {
			t.Errorf("%+v: %q, want %q", c.block, got, c.want)
		}
	}
}
