package plugin

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// A token that was replaced in its file is used for every datacenter once the
// job file is read again.
func TestATokenIsReplacedForEachDatacenter(t *testing.T) {
	var mu sync.Mutex
	used := map[string]string{} // the token, by datacenter
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		used[r.URL.Query().Get("dc")] = r.Header.Get("X-Consul-Token")
		http.Error(w, "no leader", http.StatusInternalServerError)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	cfg, c := hclconfig.Default(), hclconfig.DefaultConsul()
	c.Address, c.TokenFile, c.Datacenters = server.Listener.Addr().String(), file, []string{"dc2", "dc3"}
	cfg.Consul, cfg.DataDir, cfg.LockDir = &c, t.TempDir(), t.TempDir()
	p, err := newParts(cfg, Options{Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.consul.Close)
	for _, o := range p.outlets {
		t.Cleanup(o.client.Close)
	}
	for _, token := range []string{"first", "second"} {
		write(token)
		if err := p.change(cfg); err != nil {
			t.Fatal(err)
		}
		_, err := p.consul.Snapshot(t.Context())
		for _, o := range p.outlets {
			_, err = o.client.Snapshot(t.Context())
		}
		if err == nil {
			t.Error("a server without a leader gives a snapshot")
		}
		for _, datacenter := range []string{"", "dc2", "dc3"} {
			mu.Lock()
			if used[datacenter] != token {
				t.Errorf("datacenter %q is shown the token %q; the file holds %q", datacenter, used[datacenter], token)
			}
			mu.Unlock()
		}
	}
}
