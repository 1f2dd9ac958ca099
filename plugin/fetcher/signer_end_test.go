package fetcher

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// A response ends with the certificate of who signed it, whatever nextUpdate
// says: the schedule goes by that end, and so does status.
func TestASignersEndIsTheResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		start := time.Now()
		end := start.Add(40 * time.Minute)
		delegate := testcatest.Issue(t, s.ca, testca.IssueOptions{Delegate: true, NotBefore: start.Add(-time.Hour), NotAfter: end}, "signer")
		a := s.target("www")
		var mu sync.Mutex
		var asked []time.Duration
		s.answer(a, func(r responder.Request) (*responder.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, time.Since(start).Round(time.Minute))
			if len(asked) > 1 {
				return nil, &responder.Failure{Reason: responder.Refused, URL: r.URL, Requests: 1}
			}
			return s.respond(testca.Answer{
				Status: ocsp.Good, Serial: a.Leaf.SerialNumber, ThisUpdate: start, NextUpdate: start.Add(96 * time.Hour),
				Signer: delegate.Key, SignerCert: delegate.Leaf,
			}), nil
		})
		s.f.Set([]Target{a})
		s.run(s.f)
		state := func() status.Staple {
			synctest.Wait()
			held, _ := s.memory.stored(a.ID)
			return status.FromStore(map[string]record.Meta{a.ID: held.Meta}, nil, nil, nil, time.Now()).Staples[0]
		}
		clocktest.Pass(10 * time.Second)
		if got := state(); !got.Until.Equal(end) || got.NextUpdate.Equal(end) || got.State != status.OK {
			t.Errorf("until %v, next update %v, %s; want the signer's end %v", got.Until, got.NextUpdate, got.State, end)
		}
		// Half of that life, of nextUpdate's it would be an hour (max_delay).
		clocktest.Pass(time.Until(start.Add(end.Sub(start)/2 + time.Minute)))
		mu.Lock()
		if len(asked) < 2 || asked[1] < 17*time.Minute || asked[1] > 20*time.Minute {
			t.Errorf("asked %v after the start; want the second time at about 20m", asked)
		}
		mu.Unlock()
		for _, want := range []struct {
			at    time.Duration
			state string
		}{{31 * time.Minute, status.Ending}, {40*time.Minute - time.Second, status.Ending}, {40 * time.Minute, status.Ended}} {
			clocktest.Pass(time.Until(start.Add(want.at)))
			if got := state(); got.State != want.state {
				t.Errorf("%v after the start: %s, want %s", want.at, got.State, want.state)
			}
		}
		if got := s.requests(); got < 6 {
			t.Errorf("%d requests; want more as the end comes near", got)
		}
		clocktest.Pass(time.Minute)
		held, _ := s.memory.stored(a.ID)
		if _, err := Learn(held, a, time.Now()); err == nil {
			t.Error("it is believed after its end")
		}
	})
}
