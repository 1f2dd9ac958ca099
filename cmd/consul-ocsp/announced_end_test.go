package main

import (
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// asker counts what a responder is asked for.
type asker struct {
	mu    sync.Mutex
	times map[string]int
}

func (a *asker) asked(serial *big.Int, _ string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if serial != nil {
		a.times[serial.String()]++
	}
}

func (a *asker) of(c *testca.Issued) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.times[c.Serial.String()]
}

// What is announced is asked for until the certificate itself ends, and not at
// all where the last announcement is older than certificate_ttl; it ends nothing
// for the others.
func TestAnnouncedIsFetchedUntilItsEnd(t *testing.T) {
	t.Parallel()
	a := &asker{times: map[string]int{}}
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{OnRequest: a.asked}))
	c.announce = `certificate_ttl = "24h"`
	c.startFetcher(t, "fetcher", "min_delay = \"1s\"\n  max_delay = \"1s\"")
	i := intruder{t, c}
	end := time.Now().Add(12 * time.Second).Truncate(time.Second)
	announce := func(name string, wanted time.Time, o testca.IssueOptions) *testca.Issued {
		issued := c.authority.issue(t, t.TempDir(), o, name+".example.test")[0]
		cert := record.Certificate{Leaf: issued.Leaf.Raw, Issuer: c.authority.Certificate().Raw, Job: "edge", Name: name}
		i.put("certificate/"+cert.ID(), encode(t, cert))
		i.put("wanted/"+record.Bucket(cert.ID()), record.Wanted{cert.ID(): record.Hour(wanted)}.Encode())
		return issued
	}
	old := announce("old", time.Now().Add(-26*time.Hour), testca.IssueOptions{})
	ends := announce("ends", time.Now(), testca.IssueOptions{NotAfter: end})
	lasts := announce("lasts", time.Now(), testca.IssueOptions{})
	goesOn := func(of *testca.Issued, more int) {
		t.Helper()
		from := a.of(of)
		eventually(t, fmt.Sprintf("%d requests for %s", more, of.Name), func() error {
			if n := a.of(of) - from; n < more {
				return fmt.Errorf("%d so far", n)
			}
			return nil
		})
	}
	goesOn(ends, 2)
	eventually(t, "its end", func() error {
		if left := time.Until(end.Add(time.Second)); left > 0 {
			return fmt.Errorf("in %v", left)
		}
		return nil
	})
	goesOn(lasts, 1) // what was asked before that is over
	before := a.of(ends)
	goesOn(lasts, 3)
	if n := a.of(ends) - before; n != 0 || a.of(old) != 0 {
		t.Errorf("asked %d times for what has ended, and %d times for what nobody wants", n, a.of(old))
	}
}
