package fetcher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// crowd is ten thousand certificates of one responder. Its responses are not
// signed: what is tried is when they are asked for.
type crowd struct {
	*scene
	targets []Target
	dead    atomic.Bool

	mu    sync.Mutex
	order []int       // certificates in the order of their requests
	at    []time.Time // of each request
}

const crowded = 10_000

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{scene: newScene(t)}
	first := c.target("www")
	for i := range crowded {
		target, leaf := first, *first.Leaf
		leaf.SerialNumber = big.NewInt(int64(i))
		id := sha256.Sum256([]byte(fmt.Sprint(i)))
		target.ID, target.Leaf, target.Name = hex.EncodeToString(id[:]), &leaf, fmt.Sprintf("c%05d", i)
		c.targets = append(c.targets, target)
	}
	c.f.verify = func(der []byte, t Target, now time.Time) (*staple.Facts, error) {
		var this, until int64
		if _, err := fmt.Sscan(string(der), &this, &until); err != nil {
			return nil, err
		}
		if now.Unix() >= until {
			return nil, &staple.Refusal{Reason: staple.Expired}
		}
		return factsOf(this, until), nil
	}
	c.f.ask = func(_ context.Context, r responder.Request) (*responder.Answer, error) {
		q, err := ocsp.ParseRequest(r.OCSP)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.order, c.at = append(c.order, int(q.SerialNumber.Int64())), append(c.at, time.Now())
		c.mu.Unlock()
		clocktest.Take(context.Background(), 20*time.Millisecond)
		if c.dead.Load() {
			return nil, &responder.Failure{Reason: responder.Refused, URL: r.URL, Requests: 1}
		}
		now := time.Now()
		return &responder.Answer{Body: bodyOf(now, now.Add(7*day)), Method: http.MethodGet, HTTPStatus: http.StatusOK, Requests: 1}, nil
	}
	return c
}

func bodyOf(this, until time.Time) []byte {
	return fmt.Appendf(nil, "%d %d", this.Unix(), until.Unix())
}

func factsOf(this, until int64) *staple.Facts {
	der := bodyOf(time.Unix(this, 0), time.Unix(until, 0))
	return &staple.Facts{
		DER: der, Status: staple.Good,
		ThisUpdate: time.Unix(this, 0), NextUpdate: time.Unix(until, 0), Until: time.Unix(until, 0),
	}
}

// hold puts a response of each certificate into the store.
func (c *crowd) hold(this func(i int) time.Time, until func(i int) time.Time) {
	for i, target := range c.targets {
		c.memory.staples[target.ID] = NewStaple(factsOf(this(i).Unix(), until(i).Unix()), target, "http://ocsp.example.com")
	}
}

// asked are the certificates that were asked for since the last call, in order,
// and the most requests in a window of time.
func (c *crowd) asked(window time.Duration) (order []int, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for from, to := 0, 0; to < len(c.at); to++ {
		for c.at[to].Sub(c.at[from]) >= window {
			from++
		}
		most = max(most, to-from+1)
	}
	order = c.order
	c.order, c.at = nil, nil
	return order, most
}

// TestTenThousandWithNothingHeld has them fetched at the rate that is set.
func TestTenThousandWithNothingHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.targets[crowded-1].MustStaple = true
		c.f.Set(c.targets)
		c.run(c.f)
		clocktest.Pass(time.Minute)
		order, most := c.asked(time.Second)
		if len(order) != crowded || most > 225 {
			t.Errorf("%d requests in a minute, up to %d in a second; 200 are allowed, and a burst of 20", len(order), most)
		}
		for n, i := range order {
			if i == crowded-1 && n > 100 {
				t.Errorf("what must be stapled was asked for as number %d", n)
			}
		}
	})
}

// TestTenThousandThatAreFresh has them spread over the time that they have, and
// those that end soon asked for before they do.
func TestTenThousandThatAreFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		start := time.Now()
		c.hold(func(int) time.Time { return start.Add(-6 * day) }, func(i int) time.Time {
			if i < 100 {
				return start.Add(10 * time.Minute)
			}
			return start.Add(day)
		})
		c.f.Set(c.targets)
		c.run(c.f)
		clocktest.Pass(10 * time.Minute)
		for _, target := range c.targets[:100] {
			if st, ok := c.memory.stored(target.ID); !ok || !st.Meta.Until.After(start.Add(day)) {
				t.Fatalf("%s ended: %+v", target.Name, c.state(target.ID))
			}
		}
		clocktest.Pass(51 * time.Minute)
		seen := map[int]bool{}
		order, most := c.asked(time.Minute)
		for _, i := range order {
			seen[i] = true
		}
		if len(seen) != crowded || most > 2*crowded/60+100 {
			t.Errorf("%d of them in an hour, up to %d in a minute", len(seen), most)
		}
	})
}

// TestTenThousandAfterAnOutage has the responder away for hours: it is asked at
// the rate that is set when it is back, first for those that end first.
func TestTenThousandAfterAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		start := time.Now()
		end := func(i int) time.Time { return start.Add(time.Duration(6*60+(i*7919)%crowded) * time.Minute) } // in no order
		c.hold(func(int) time.Time { return start.Add(-day) }, end)
		c.dead.Store(true)
		c.f.Set(c.targets)
		c.run(c.f)
		clocktest.Pass(5 * time.Hour)
		if order, _ := c.asked(time.Second); len(order) > 600 {
			t.Errorf("%d requests to a host that is away", len(order))
		}
		c.dead.Store(false)
		clocktest.Pass(30 * time.Minute)
		order, most := c.asked(time.Second)
		if most > 225 || len(order) < crowded {
			t.Fatalf("%d requests, up to %d in a second", len(order), most)
		}
		// The first ones find out that it is back.
		for n, i := range order[:1000] {
			if n < 10 {
				continue
			}
			if rank := int(end(i).Sub(start)/time.Minute) - 6*60; rank > n+300 {
				t.Errorf("request %d is for the one that ends as number %d", n, rank)
			}
		}
		for _, target := range c.targets {
			if st, ok := c.memory.stored(target.ID); !ok || st.Meta.ThisUpdate.Before(start) {
				t.Fatalf("%s was not fetched", target.Name)
			}
		}
	})
}
