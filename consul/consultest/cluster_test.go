package consultest

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := StartCluster(t)
	client := c.AddClient()
	t.Logf("ready after %v", time.Since(began).Round(10*time.Millisecond))
	faults(t, c, client)
}

// Where no namespaces are allowed.
func TestLoopbackCluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t, newLoopback())
	faults(t, c, c.AddClient())
}

func faults(t *testing.T, c *Cluster, client *Server) {
	for _, s := range append(c.Servers, client) {
		if _, _, err := s.Client().Session().Create(&api.SessionEntry{TTL: "10s"}, nil); err != nil {
			t.Errorf("session on %s: %v", s.Node(), err)
		}
	}
	put(t, client.Client(), "a", "1")
	old := c.Leader()
	old.Kill()
	if now := c.Leader(); now == old {
		t.Error("a killed server leads")
	}
	awaitPut(t, client)
	old.Restart()

	cut := c.Leader()
	c.CutOff(cut)
	awaitPut(t, client)
	c.Heal()
	eventually(t, "the server that was cut off", func(ctx context.Context) error {
		_, _, err := cut.Client().KV().Get("a", (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
		return err
	})
	c.Isolate(client)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := client.Client().KV().Get("a", (&api.QueryOptions{}).WithContext(ctx)); err == nil {
		t.Error("an agent that is isolated answers")
	}
	c.Heal()
	if c.Lose(20) {
		awaitPut(t, client)
	}
	c.Heal()
	awaitPut(t, client)
}

// awaitPut writes until that succeeds.
func awaitPut(t *testing.T, s *Server) {
	t.Helper()
	eventually(t, "a write", func(ctx context.Context) error {
		_, err := s.Client().KV().Put(&api.KVPair{Key: "a", Value: []byte("2")}, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
}

func eventually(t *testing.T, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		one, stop := context.WithTimeout(ctx, 3*time.Second)
		err := try(one)
		stop()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	s := Start(t)
	put(t, s.Client(), "a", "1")
	s.Wipe()
	s.Restart()
	if got := get(t, s.Client(), "a"); got != "" {
		t.Errorf("after a wipe: %q", got)
	}
}

func TestReconfigure(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Reconfigure(`limits { request_limits { mode = "enforcing" read_rate = 0.1 write_rate = 0.1 } }`)
	eventually(t, "a refusal", func(ctx context.Context) error {
		for range 20 {
			if _, _, err := s.Client().KV().Get("a", (&api.QueryOptions{}).WithContext(ctx)); err != nil {
				t.Logf("refused with %v", err)
				return nil
			}
		}
		return context.DeadlineExceeded
	})
	s.Reconfigure("")
	awaitPut(t, s)
}
