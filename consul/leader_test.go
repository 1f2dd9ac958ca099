package consul

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// candidate campaigns until its stop is called.
type candidate struct {
	c     *Client
	leads chan *Term // a term's start
	lost  chan error // a term's end: its cause
	stop  func() error
}

func campaign(t *testing.T, c *Client, name string) *candidate {
	t.Helper()
	k := &candidate{c: c, leads: make(chan *Term, 10), lost: make(chan error, 10)}
	k.stop = during(t, func(ctx context.Context) error {
		return c.Campaign(ctx, record.Leader{Node: name, Instance: name}, func(ctx context.Context, term *Term) error {
			k.leads <- term
			<-ctx.Done()
			k.lost <- context.Cause(ctx)
			return ctx.Err()
		})
	})
	return k
}

func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-from:
		return v
	case <-timer.C:
		t.Fatalf("%s: not within %s", what, patience)
		panic("unreachable")
	}
}

func testLead(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	one := campaign(t, c, "one")
	term := receive(t, "one leads", one.leads)
	who, err := record.DecodeLeader(value(t, s, c.keys.leader()))
	if err != nil || who.Node != "one" || time.Since(who.Since) > patience {
		t.Errorf("v1/leader says %+v, %v", who, err)
	}
	if got := string(value(t, s, c.keys.format())); got != "1" {
		t.Errorf("v1/format = %q", got)
	}
	if err := one.stop(); err != nil {
		t.Errorf("Campaign: %v", err)
	}
	pair, _, err := s.Client().KV().Get(c.keys.leader(), nil)
	if err != nil || pair.Session != "" {
		t.Errorf("after the end the lock is %+v, %v", pair, err)
	}
	if session, _, err := s.Client().Session().Info(term.session.id, nil); err != nil || session != nil {
		t.Errorf("its session is still there: %+v, %v", session, err)
	}
}

func testTryLead(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	one := campaign(t, c, "one")
	term := receive(t, "one leads", one.leads)
	err := newClient(t, s).TryLead(t.Context(), record.Leader{Node: "two"}, func(context.Context, *Term) error {
		t.Error("two leads too")
		return nil
	})
	var held *HeldError
	if !errors.As(err, &held) || held.Node != "one" || held.Session != term.session.id {
		t.Errorf("TryLead: %v", err)
	}
	_ = one.stop()
	broken := errors.New("broken")
	if err := c.TryLead(t.Context(), record.Leader{}, func(context.Context, *Term) error { return broken }); err != broken {
		t.Errorf("TryLead returns %v, not what lead did", err)
	}
}

// A leader that ends is followed at once: neither the session's time nor the
// lock delay, both long here, is waited for.
func testTakeOver(t *testing.T, s *consultest.Server) {
	slow := func(c *Config) { c.LockDelay, c.SessionTTL = time.Minute, time.Hour }
	one := campaign(t, newClient(t, s, slow), "one")
	receive(t, "one leads", one.leads)
	two := campaign(t, newClient(t, s, slow), "two")
	before := time.Now()
	_ = one.stop()
	receive(t, "two leads", two.leads)
	if took := time.Since(before); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func testLockTakenAway(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	one := campaign(t, c, "one")
	receive(t, "one leads", one.leads)
	if _, err := s.Client().KV().Delete(c.keys.leader(), nil); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, "one is told", one.lost); !errors.Is(err, ErrNotLeader) {
		t.Errorf("the term's end has the cause %v", err)
	}
	receive(t, "one leads again", one.leads)
}

func testSessionGone(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	one := campaign(t, c, "one")
	term := receive(t, "one leads", one.leads)
	if _, err := s.Client().Session().Destroy(term.session.id, nil); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, "one is told", one.lost); !errors.Is(err, ErrNotLeader) {
		t.Errorf("the term's end has the cause %v", err)
	}
	if err := term.Publish(t.Context(), []record.Staple{response(testID(1), 1)}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("Publish after the term: %v", err)
	}
	receive(t, "one leads again", one.leads)
}

// Renewing a session that is gone says so: Consul answers that with no error.
func testRenewGone(t *testing.T, s *consultest.Server) {
	c := newClient(t, s, func(c *Config) { c.SessionTTL = 10 * time.Second })
	session, err := c.newSession(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer session.close()
	if _, err := s.Client().Session().Destroy(session.id, nil); err != nil {
		t.Fatal(err)
	}
	receive(t, "the session's end", session.ctx.Done())
	if err := context.Cause(session.ctx); !errors.Is(err, ErrNotLeader) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("its cause is %v", err)
	}
}

func testLeadErrorReleases(t *testing.T, s *consultest.Server) {
	terms := make(chan *Term, 10)
	c := newClient(t, s)
	stop := during(t, func(ctx context.Context) error {
		return c.Campaign(ctx, record.Leader{Node: "one"}, func(_ context.Context, term *Term) error {
			terms <- term
			return errors.New("broken")
		})
	})
	first := receive(t, "a term", terms)
	second := receive(t, "another term", terms)
	if first.session.id == second.session.id {
		t.Error("the second term has the first one's session")
	}
	if err := stop(); err != nil {
		t.Errorf("Campaign: %v", err)
	}
}

func testNewerFormat(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	put(t, s, c.keys.format(), []byte("2"))
	err := c.TryLead(t.Context(), record.Leader{}, func(context.Context, *Term) error {
		t.Error("an older agent leads")
		return nil
	})
	var format *FormatError
	if !errors.As(err, &format) || format.Found != 2 {
		t.Errorf("TryLead: %v", err)
	}
	if value(t, s, c.keys.leader()) != nil {
		t.Error("it took the lock before it looked")
	}
	one := campaign(t, c, "one")
	put(t, s, c.keys.format(), []byte("garbage"))
	receive(t, "it leads once no newer format is there", one.leads)
	if got := string(value(t, s, c.keys.format())); got != "1" {
		t.Errorf("v1/format = %q", got)
	}
}
