package consul

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
)

// health is what an agent says of itself, as a test changes it.
type health struct {
	wake chan struct{}
	mu   sync.Mutex
	now  *Service
}

func (h *health) set(s *Service) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = s
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *health) current() *Service {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		return nil
	}
	s := *h.now
	return &s
}

// serve keeps a service registered until the test or stop ends it.
func serve(t *testing.T, c *Client, id string, first *Service) (h *health, stop func() error) {
	t.Helper()
	h = &health{now: first, wake: make(chan struct{}, 1)}
	return h, during(t, func(ctx context.Context) error { return c.Serve(ctx, id, h.current, h.wake) })
}

// shown waits until the catalog shows exactly these instances of a service,
// each as its id, status, tags and output.
func shown(t *testing.T, s *consultest.Server, name string, want ...string) {
	t.Helper()
	got := ""
	eventually(t, "service "+name, func() bool {
		entries, _, err := s.Client().Health().Service(name, "", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, e := range entries {
			check := e.Checks[len(e.Checks)-1]
			list = append(list, fmt.Sprint(e.Service.ID, " ", check.Status, " ", e.Service.Tags, " ", check.Output))
		}
		if now := strings.Join(list, "\n"); now != got {
			got = now
			t.Logf("%s: %s", name, got)
		}
		return got == strings.Join(want, "\n")
	})
}

// The catalog shows what the agent says of itself, through changes of all of
// it, and nothing once the agent has stopped.
func testServe(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	h, stop := serve(t, c, "serve-a", &Service{Name: "serve", Tags: []string{"edge", "tls"}, Status: Passing, Output: "2 staples"})
	shown(t, s, "serve", "serve-a passing [edge tls] 2 staples")
	h.set(&Service{Name: "serve", Tags: []string{"edge", "tls"}, Status: Warning, Output: "ends soon"})
	shown(t, s, "serve", "serve-a warning [edge tls] ends soon")
	h.set(&Service{Name: "serve", Status: Critical, Output: "it has ended"})
	shown(t, s, "serve", "serve-a critical [] it has ended")
	h.set(&Service{Name: "serve-other", Status: Passing})
	shown(t, s, "serve")
	shown(t, s, "serve-other", "serve-a passing [] ")
	h.set(nil)
	shown(t, s, "serve-other")
	h.set(&Service{Name: "serve", Status: Passing})
	shown(t, s, "serve", "serve-a passing [] ")

	// Another agent of the same name, here or on another node, is another
	// instance.
	_, stopOther := serve(t, c, "serve-b", &Service{Name: "serve", Status: Passing})
	shown(t, s, "serve", "serve-a passing [] ", "serve-b passing [] ")
	for _, stop := range []func() error{stop, stopOther} {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	services, err := s.Client().Agent().ServicesWithFilter(`Service == "serve"`)
	if err != nil || len(services) > 0 {
		t.Errorf("what is left: %v, %v", services, err)
	}
}

// A service that Consul's agent does not know any more comes back.
func testServeLost(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	_, stop := serve(t, c, "lost-a", &Service{Name: "lost", Status: Passing, Output: strings.Repeat("ü", maxOutput)})
	whole := "lost-a passing [] " + strings.Repeat("ü", maxOutput/2)
	shown(t, s, "lost", whole)
	if err := s.Client().Agent().ServiceDeregister("lost-a"); err != nil {
		t.Fatal(err)
	}
	shown(t, s, "lost", whole)
	// What somebody else took away is no failure in the end.
	if err := s.Client().Agent().ServiceDeregister("lost-a"); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A Consul agent that is started again, also as one that has forgotten, is told
// again; whoever stops while it is away does not wait for it.
func TestServeRestart(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t)
	c := newClient(t, s)
	_, stop := serve(t, c, "restart-a", &Service{Name: "restart", Status: Warning, Output: "so so"})
	shown(t, s, "restart", "restart-a warning [] so so")
	s.Kill()
	s.Restart()
	shown(t, s, "restart", "restart-a warning [] so so")
	s.Kill()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// DNS shows what passes, and by its tag.
func TestServeDNS(t *testing.T) {
	t.Parallel()
	port := dnsPort(t)
	s := consultest.Start(t, consultest.WithConfig(fmt.Sprintf("ports { dns = %d }", port)))
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", port))
	}}
	resolves := func(name string, want bool) {
		t.Helper()
		eventually(t, name, func() bool {
			addresses, err := resolver.LookupHost(t.Context(), name+".service.consul.")
			var none *net.DNSError
			if err != nil && !errors.As(err, &none) {
				t.Fatal(err)
			}
			return want == (len(addresses) == 1 && addresses[0] == "127.0.0.1")
		})
	}
	h, stop := serve(t, newClient(t, s), "dns-a", &Service{Name: "dns-test", Tags: []string{"edge"}, Status: Passing})
	resolves("dns-test", true)
	resolves("edge.dns-test", true)
	h.set(&Service{Name: "dns-test", Status: Critical})
	resolves("dns-test", false)
	h.set(&Service{Name: "dns-test", Status: Warning})
	resolves("dns-test", true)
	if err := stop(); err != nil {
		t.Error(err)
	}
	resolves("dns-test", false)
}

// dnsPort is free for TCP and UDP.
func dnsPort(t *testing.T) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err != nil {
			continue
		}
		p.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	t.Fatal("no free port")
	return 0
}

// Without the right to it the agent says which rule it needs, once, and takes
// on the right when it is given.
func TestServeRights(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t, consultest.WithACL())
	const rule = `service "rights" { policy = "write" }`
	var log logtest.Text
	denied := newClient(t, s, func(c *Config) {
		c.Token = s.CreateToken(t, `key_prefix "" { policy = "write" }`)
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug})
	})
	_, stop := serve(t, denied, "rights-a", &Service{Name: "rights", Status: Passing})
	eventually(t, "the second refusal", func() bool { return strings.Count(log.String(), "registering the service fails") > 1 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	text := strings.ReplaceAll(log.String(), `\"`, `"`)
	if strings.Count(text, "[WARN]") != 1 || !strings.Contains(text, `register service "rights": permission denied: the token needs `+rule) {
		t.Errorf("the log says:\n%s", text)
	}

	file := filepath.Join(t.TempDir(), "token")
	old := writeToken(t, s, file, rule)
	c := newClient(t, s, func(c *Config) { c.Token, c.TokenFile = "", file })
	h, stop := serve(t, c, "rights-a", &Service{Name: "rights", Status: Passing})
	shown(t, s, "rights", "rights-a passing [] ")
	h.set(&Service{Name: "rights", Status: Warning, Output: "w"})
	shown(t, s, "rights", "rights-a warning [] w")
	// Consul's agent goes on with the token that a service was registered with:
	// it is given the new one.
	writeToken(t, s, file, rule)
	if err := c.ReloadToken(); err != nil {
		t.Fatal(err)
	}
	self, _, err := s.Client().ACL().TokenReadSelf(&api.QueryOptions{Token: old})
	if err == nil {
		_, err = s.Client().ACL().TokenDelete(self.AccessorID, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.set(&Service{Name: "rights", Status: Critical, Output: "c"})
	shown(t, s, "rights", "rights-a critical [] c")
	if err := stop(); err != nil {
		t.Error(err)
	}
	shown(t, s, "rights")
}

// writeToken makes a token with this rule and puts it into a file.
func writeToken(t *testing.T, s *consultest.Server, file, rule string) string {
	t.Helper()
	token := s.CreateToken(t, rule)
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return token
}

// The time of the last sync goes on while nothing changes, and stands still
// while what is published can't be read.
func testLastSync(t *testing.T, s *consultest.Server) {
	at := newClock(start)
	c := newClient(t, s, at.set)
	if !c.LastSync().IsZero() {
		t.Error("there was a sync before the first")
	}
	follow(t, c, testID(1))
	for range 3 {
		at.advance(1)
		now := at.Now()
		eventually(t, "a sync", func() bool { return c.LastSync().Equal(now) })
	}
	c.synced.followed(at.Now(), errors.New("unreadable"))
	last := at.Now()
	at.advance(1)
	c.synced.read(at.Now())
	if !c.LastSync().Equal(last) {
		t.Error("it goes on although nothing can be read")
	}
	c.synced.followed(at.Now(), nil)
	if !c.LastSync().Equal(at.Now()) {
		t.Error("it stands still although all is read")
	}
}
