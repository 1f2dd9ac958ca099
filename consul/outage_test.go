package consul

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func rawGet(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Consul goes and comes back: everything goes on by itself, and an outage is
// said once when it begins and once when it ends, for all loops together.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t)
	var log logtest.Text
	var mu sync.Mutex
	var told []bool
	var pauses atomic.Int64
	c := newClient(t, s, func(c *Config) {
		pause := c.Pause
		c.Pause = func() time.Duration { pauses.Add(1); return pause() }
		c.SessionTTL = time.Hour // the session is still there after the outage
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})
		c.OnConnection = func(up bool, err error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, up)
			if up != (err == nil) {
				t.Errorf("up is %t, with the error %v", up, err)
			}
		}
	})
	connections := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(told)
	}
	id := testID(1)
	n := follow(t, c, id)
	m := newMirror(response(id, 1))
	terms := make(chan *Term, 10)
	during(t, func(ctx context.Context) error {
		return c.Campaign(ctx, record.Leader{Node: "one"}, func(ctx context.Context, term *Term) error {
			if err := term.Reconcile(ctx, m); err != nil {
				return err
			}
			terms <- term
			return term.Guard(ctx, m)
		})
	})
	during(t, func(ctx context.Context) error {
		return c.Announce(ctx, func() map[string]record.Certificate { return certificates(t, 1, far()) }, AnnounceOptions{}, nil)
	})
	term := receive(t, "the term", terms)
	eventually(t, "the first response", func() bool { return n.has(response(id, 1)) })

	s.Stop()
	eventually(t, "notice of the outage", func() bool { return connections() == 1 })
	published := make(chan error, 1)
	var publishing sync.WaitGroup
	publishing.Go(func() { published <- term.Publish(t.Context(), []record.Staple{response(id, 2)}) }) // ends with Consul's return
	// Longer than any number of attempts lasts, whoever of the loops pauses.
	before := pauses.Load()
	eventually(t, "a long outage", func() bool { return pauses.Load() > before+10*attempts })
	s.Restart()
	if err := receive(t, "the publication", published); err != nil {
		t.Errorf("Publish across the outage: %v", err)
	}
	publishing.Wait()
	eventually(t, "the response of the outage", func() bool { return n.has(response(id, 2)) })
	eventually(t, "notice of its end", func() bool { return connections() == 2 })
	publish(t, t.Context(), term, response(id, 3))
	eventually(t, "the next response", func() bool { return n.has(response(id, 3)) })

	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || told[0] || !told[1] {
		t.Errorf("OnConnection was told %v", told)
	}
	text := log.String()
	if strings.Count(text, "[WARN]") != 1 || strings.Count(text, "consul answers again") != 1 {
		t.Errorf("the log says:\n%s", text)
	}
}

// An agent that starts while Consul is away waits for it.
func TestStartWithoutConsul(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t)
	c := newClient(t, s)
	id := testID(1)
	lead(t, c, func(ctx context.Context, term *Term) { publish(t, ctx, term, response(id, 1)) })
	s.Kill()
	n := follow(t, c, id)
	k := campaign(t, c, "one")
	eventually(t, "notice of the outage", c.state.isDown)
	s.Restart()
	eventually(t, "the response", func() bool { return n.has(response(id, 1)) })
	receive(t, "the term", k.leads)
	// And it ends at once while Consul is away again.
	s.Kill()
	before := time.Now()
	if err := k.stop(); err != nil {
		t.Error(err)
	}
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took > 3*farewell {
		t.Errorf("the end took %s", took)
	}
}

// Leadership that was given up while Consul was away is free as soon as it is
// back, long before Consul would end the session that could not be ended.
func TestGivenUpInOutage(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t)
	c := newClient(t, s, func(c *Config) { c.SessionTTL, c.LockDelay = time.Hour, time.Minute })
	terms, giveUp := make(chan *Term, 10), make(chan struct{}, 1)
	during(t, func(ctx context.Context) error {
		return c.Campaign(ctx, record.Leader{Node: "one"}, func(ctx context.Context, term *Term) error {
			terms <- term
			select {
			case <-giveUp:
				return ErrNotLeader
			case <-ctx.Done():
				return nil
			}
		})
	})
	first := receive(t, "the first term", terms)
	s.Kill()
	giveUp <- struct{}{}
	eventually(t, "the first term's end", func() bool { _, over := c.over.Load(first.session.id); return over })
	s.Restart()
	second := receive(t, "the second term", terms)
	if first.session.id == second.session.id {
		t.Error("the second term has the session that was given up")
	}
}
