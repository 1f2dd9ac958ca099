package canary

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func revoked(started time.Time) map[string]record.Canary {
	return map[string]record.Canary{"edge": {Job: "edge", Round: record.CanaryRound{Started: started, Phase: record.CanaryRevoked, Until: started.Add(time.Hour), ID: first}}}
}

// A list that is empty for a moment changes nothing, and what the leader itself
// knows counts before what it hears.
func TestWatchForgetsNothing(t *testing.T) {
	var w Watch
	now := time.Now()
	if w.Known() || w.Planned(first) {
		t.Error("something is known already")
	}
	w.Set(revoked(now))
	w.Set(map[string]record.Canary{})
	if !w.Known() || !w.Planned(first) || w.Planned(second) {
		t.Error("the round is forgotten")
	}
	ended := revoked(now)["edge"]
	ended.Round.Phase, ended.Replaced = record.CanaryEnded, []string{first[:record.IDPrefix]}
	w.Lead(ended)
	w.Set(revoked(now))
	if w.Planned(first) || !w.Past(first) {
		t.Error("the leader believes what it hears before what it did")
	}
	w.Follow()
	if !w.Planned(first) {
		t.Error("one that does not lead goes on to know better")
	}
}

// A client is looked at while a round waits for that, seldom before the response
// is there and at once when it is; not otherwise.
func TestWatchLooksWhenItMatters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Watch
		var looks, changes atomic.Int64
		var says, id atomic.Value
		says.Store("good")
		id.Store(first)
		own := func() []Own {
			look := func(context.Context) (string, string) { looks.Add(1); return says.Load().(string), "" }
			return []Own{{Job: "edge", ID: id.Load().(string), Look: look}}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx, own, func() { changes.Add(1) }) }() // ends with ctx
		clocktest.Pass(time.Hour)
		if looks.Load() != 0 || len(w.Records()) != 1 {
			t.Errorf("%d looks without a round, %+v", looks.Load(), w.Records())
		}
		began := time.Now()
		w.Set(revoked(began))
		clocktest.Pass(10 * time.Minute)
		if n := looks.Load(); n < 10 || n > 60 {
			t.Errorf("%d looks before it is there", n)
		}
		says.Store("revoked")
		w.Applied(first, true)
		synctest.Wait()
		c := w.Records()[0]
		if after := c.Seen.Sub(began); after != 10*time.Minute || !c.Applied.Equal(c.Seen) || !c.Round.Equal(began) || c.Error != "" {
			t.Errorf("seen after %v: %+v", after, c)
		}
		before := looks.Load()
		clocktest.Pass(10 * time.Minute)
		if looks.Load() != before {
			t.Error("it looks on")
		}
		renewed := revoked(began)["edge"]
		renewed.Round.Phase = record.CanaryRenewed
		w.Set(map[string]record.Canary{"edge": renewed})
		clocktest.Pass(time.Minute)
		id.Store(second)
		says.Store("good")
		clocktest.Pass(10 * time.Second)
		if c := w.Records()[0]; c.Good.IsZero() || c.ID != second {
			t.Errorf("%+v", c)
		}
		if n := changes.Load(); n > 10 {
			t.Errorf("%d reports", n)
		}
		cancel()
		<-done
	})
}
