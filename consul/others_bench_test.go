package consul

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/api/watch"
	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
)

// keyprefix watches a prefix until b ends, as `consul watch` does, and tells
// its traffic.
func (s *scene) keyprefix(b *testing.B, prefix string, handler func(api.KVPairs)) *traffic {
	b.Helper()
	client, flow := countedAPI(b, s.server.Address(), s.server.Token())
	plan, err := watch.Parse(map[string]any{"type": "keyprefix", "prefix": prefix})
	if err != nil {
		b.Fatal(err)
	}
	plan.Handler = func(_ uint64, raw any) {
		if pairs, ok := raw.(api.KVPairs); ok {
			handler(pairs)
		}
	}
	var watching sync.WaitGroup
	watching.Go(func() { _ = plan.RunWithClientAndHclog(client, hclog.NewNullLogger()) }) // ends with Stop
	b.Cleanup(func() {
		plan.Stop()
		watching.Wait()
	})
	return flow
}

// template runs consul-template with a template until b ends, and tells its
// traffic, and whether what it has rendered last holds a text.
func (s *scene) template(b *testing.B, text string) (flow *traffic, holds func(text string) bool) {
	b.Helper()
	flow = &traffic{}
	address := s.counting(b, flow)
	dir := b.TempDir()
	source, out := filepath.Join(dir, "all.ctmpl"), filepath.Join(dir, "all")
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	run := exec.Command(consultest.Binary(b, "consul-template"), "-consul-addr="+address, "-log-level=err", "-template="+source+":"+out)
	if err := run.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
	return flow, func(text string) bool {
		rendered, err := os.ReadFile(out)
		return err == nil && strings.Contains(string(rendered), text)
	}
}
