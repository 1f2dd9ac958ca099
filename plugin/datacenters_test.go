package plugin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
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

// reached is a datacenter that all gets through to.
type reached struct{ list []record.Staple }

func (p *reached) Publish(_ context.Context, list []record.Staple) error {
	p.list = append(p.list, list...)
	return nil
}

func (p *reached) Trouble(context.Context, string, *record.Trouble) error { return nil }

// Where a datacenter hangs, so that nothing that comes is carried there, the
// leader's own is published to all the same; the newest of each certificate waits.
func TestADatacenterThatHangsDelaysNoOther(t *testing.T) {
	hangs := &outlet{
		term: &consul.Term{}, added: make(chan struct{}, 1),
		staples: map[string]record.Staple{}, troubles: map[string]*record.Trouble{},
	}
	home := &reached{}
	f := fanout{home: home, outlets: []*outlet{hangs}}
	ids := []string{record.Checksum([]byte("a")), record.Checksum([]byte("b")), record.Checksum([]byte("c"))}
	const rounds = 3
	for minute := range rounds {
		this := time.Date(2026, 11, 21, 9, minute, 0, 0, time.UTC)
		err := f.Publish(t.Context(), []record.Staple{
			{ID: ids[0], Meta: record.Meta{Status: "good", ThisUpdate: this}},
			{ID: ids[1], Meta: record.Meta{Status: "revoked", ThisUpdate: this}},
		})
		if err == nil {
			err = f.Trouble(t.Context(), ids[2], &record.Trouble{Failures: minute})
		}
		if err != nil || len(home.list) != 2*(minute+1) {
			t.Fatalf("%d published, %v", len(home.list), err)
		}
	}
	list, troubles := hangs.take()
	if len(list) != 2 || list[0].Meta.Status != "revoked" || list[0].Meta.ThisUpdate.Minute() != rounds-1 || list[1].Meta.ThisUpdate.Minute() != rounds-1 {
		t.Errorf("what waits is %+v; want the newest, the revoked one first", list)
	}
	if len(troubles) != 1 || troubles[ids[2]].Failures != rounds-1 {
		t.Errorf("troubles that wait: %+v", troubles)
	}
}
