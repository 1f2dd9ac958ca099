package plugin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// crowd are the nodes of a cluster whose Consul is gone, and the one responder
// of their certificates, which are the same on all of them.
type crowd struct {
	ca     *testca.CA
	issued []*testca.Issued
	url    string
	begin  time.Time // of the responses that all hold
	ends   time.Time

	answer atomic.Pointer[http.Handler]
	clock  atomic.Int64 // the bubble's, for the responder, which is outside of it

	mu    sync.Mutex
	asked []time.Time
}

// newCrowd starts the responder, before the bubble.
func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.asked = append(c.asked, c.now())
		c.mu.Unlock()
		(*c.answer.Load()).ServeHTTP(w, r)
	}))
	server.Config.SetKeepAlivesEnabled(false) // while a connection waits the bubble's clock stands still
	server.Start()
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *crowd) now() time.Time { return time.Unix(0, c.clock.Load()) }

// issue makes the certificates; 70 % of the life of their responses is over.
func (c *crowd) issue(t *testing.T, certificates int, life time.Duration) {
	t.Helper()
	var err error
	if c.ca, err = testca.Init(filepath.Join(t.TempDir(), "ca"), testca.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range certificates {
		names = append(names, fmt.Sprintf("host-%d.example.test", i))
	}
	if c.issued, err = c.ca.IssueMany(names, testca.IssueOptions{Responders: []string{c.url}}); err != nil {
		t.Fatal(err)
	}
	handler := c.ca.Responder(testca.ResponderOptions{Now: c.now})
	c.answer.Store(&handler)
	c.begin = time.Now().Add(-life * 7 / 10)
	c.ends = c.begin.Add(life)
}

// join makes a node that knows the certificates.
func (c *crowd) join(t *testing.T, name string, log *strings.Builder) *parts {
	t.Helper()
	dir := t.TempDir()
	var single []inventory.Single
	text := fmt.Sprintf("roles = [\"deliver\"]\nnode_name = %q\ndata_dir = %q\nlock_dir = %q\nconsul {\n  address = %q\n}\npull {\n  address = \"127.0.0.1:9\"\n}\njob \"edge\" {\n  write_files = false\n",
		name, filepath.Join(dir, "data"), filepath.Join(dir, "lock"), "unix://"+filepath.Join(dir, "absent.sock"))
	for _, issued := range c.issued {
		text += fmt.Sprintf("  certificate %q {\n    path = %q\n  }\n", issued.Name, issued.Path)
		single = append(single, inventory.Single{Name: issued.Name, Path: issued.Path})
	}
	cfg, err := hclconfig.Parse([]hclconfig.File{{Name: "job.hcl", Source: []byte(text + "}\n")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newParts(cfg, Options{Version: "test", Logger: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Warn})})
	if err != nil {
		t.Fatal(err)
	}
	found, problems := inventory.Read([]inventory.Source{{Job: "edge", Certificates: single}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p.certificates(p.settings.Load(), found, nil)
	// A running writer has hundreds of goroutines, which is too many 300 times.
	p.joint.deliver = func(ctx context.Context, list []record.Staple) { p.writer.Pass(ctx, list) }
	return p
}

// first are the responses that every node holds.
func (c *crowd) first(t *testing.T) (list []record.Staple) {
	t.Helper()
	for _, issued := range c.issued {
		der, err := c.ca.Respond(testca.Answer{Serial: issued.Serial, ThisUpdate: c.begin, NextUpdate: c.ends})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, record.Staple{ID: staple.ID(issued.Leaf), DER: der, Meta: record.Meta{
			SHA256: record.Checksum(der), Status: "good", ThisUpdate: c.begin, NextUpdate: c.ends, Until: c.ends,
		}})
	}
	return list
}

// Consul is gone, and 300 nodes hold the same responses, which end at the same
// time: none of them asks before three quarters of the life are over, then they
// do so one after the other, each says it, and each has newer ones long before
// the old ones end.
func TestFallbackOf300Nodes(t *testing.T) {
	t.Parallel()
	const nodes, certificates, life = 300, 1, 8 * time.Minute
	c := newCrowd(t)
	synctest.Test(t, func(t *testing.T) {
		c.issue(t, certificates, life)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { // ends with ctx
			for ctx.Err() == nil {
				c.clock.Store(time.Now().UnixNano())
				sleep(ctx, time.Second, nil)
			}
		})
		held, logs, crowd := c.first(t), make([]strings.Builder, nodes), make([]*parts, nodes)
		for i := range nodes {
			name := fmt.Sprint("node-", i)
			p := c.join(t, name, &logs[i])
			p.writer.Pass(ctx, held)
			instance, err := p.store.Instance()
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { _ = p.fallBack(ctx, instance) }) // ends with ctx
			crowd[i] = p
		}
		sleep(ctx, time.Until(c.ends.Add(-life/20)), nil)
		synctest.Wait()
		for i, p := range crowd {
			for _, s := range p.writer.States() {
				if !s.Held.Until.After(c.ends) {
					t.Errorf("node %d holds the old response for %s", i, s.Name)
				}
			}
			if log := logs[i].String(); strings.Count(log, "this node fetches for its own certificates") != 1 || p.alone.Load() == nil {
				t.Errorf("node %d does not say once that it fetches for itself:\n%s", i, log)
			}
		}
		cancel()
		all.Wait()
	})
	c.spread(t, nodes*certificates, life)
}

// spread checks when the responder was asked.
func (c *crowd) spread(t *testing.T, want int, life time.Duration) {
	t.Helper()
	if len(c.asked) != want {
		t.Errorf("%d requests; want %d", len(c.asked), want)
	}
	// What nodes that notice an outage together wait besides: announce { splay }.
	const splay, part = 20 * time.Second, 10 * time.Second
	from := c.begin.Add(life * 3 / 4).Add(splay)
	first, most, counts := life, 0, map[time.Duration]int{}
	for _, at := range c.asked {
		after := at.Sub(from)
		first = min(first, after)
		counts[after/part]++
		most = max(most, counts[after/part])
	}
	// The responder's clock shows whole seconds.
	if first < -time.Second || first > 5*time.Second {
		t.Errorf("the first node asks %s after its time", first)
	}
	// Evenly spread over the time for it, each part would see so many.
	even := float64(want) * float64(part) / (spread * float64(life/4-splay))
	if float64(most) > 2*even {
		t.Errorf("%d requests in %s; evenly spread it would be %.0f", most, part, even)
	}
}
