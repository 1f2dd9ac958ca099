package consul

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"maps"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// certificates makes n certificates that end at notAfter, by id.
func certificates(t *testing.T, n int, notAfter time.Time) map[string]record.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certs := map[string]record.Certificate{}
	for i := range n {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotBefore: start.AddDate(-1, 0, 0), NotAfter: notAfter}
		leaf, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert := record.Certificate{Leaf: leaf, Issuer: []byte("issuer"), Job: "test"}
		certs[cert.ID()] = cert
	}
	return certs
}

func far() time.Time { return start.AddDate(50, 0, 0) }

// clock is a time that a test moves.
type clock struct{ now atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.now.Store(t.UnixNano())
	return c
}
func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }
func (c *clock) set(config *Config)      { config.Now = c.Now }

func testAnnounce(t *testing.T, s *consultest.Server) {
	at := newClock(start.Add(10 * time.Minute))
	c := newClient(t, s, at.set)
	flow := counted(c.base)
	certs := certificates(t, 70, far())
	o := AnnounceOptions{TTL: 48 * time.Hour}
	if err := c.AnnounceOnce(t.Context(), certs, o); err != nil {
		t.Fatal(err)
	}
	indexes := func() map[string]uint64 {
		pairs, _, err := s.Client().KV().List(c.keys.root+"v1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]uint64{}
		for _, pair := range pairs {
			m[pair.Key] = pair.ModifyIndex
		}
		return m
	}
	for id, cert := range certs {
		got, err := record.DecodeCertificate(id, value(t, s, c.keys.certificate(id)))
		if err != nil || !bytes.Equal(got.Leaf, cert.Leaf) {
			t.Errorf("v1/certificate: %v", err)
		}
		w, bad, err := record.ParseWanted(record.Bucket(id), value(t, s, c.keys.wanted(record.Bucket(id))))
		if err != nil || bad > 0 || !w[id].Equal(start) {
			t.Errorf("v1/wanted: %v, %d bad, %v", w[id], bad, err)
		}
	}
	first := indexes()
	at.advance(11 * time.Hour)
	before := flow.read()
	if err := c.AnnounceOnce(t.Context(), certs, o); err != nil {
		t.Fatal(err)
	}
	if got := flow.since(before).txns; got < 1 || got > 2 {
		t.Errorf("%d transactions where there is nothing to do", got)
	}
	for key, index := range indexes() {
		if first[key] != index {
			t.Errorf("%s was written again within a quarter of the time", key)
		}
	}
	at.advance(2 * time.Hour)
	if err := c.AnnounceOnce(t.Context(), certs, o); err != nil {
		t.Fatal(err)
	}
	for key, index := range indexes() {
		if isLine := bytes.Contains([]byte(key), []byte("/wanted/")); isLine != (first[key] != index) {
			t.Errorf("%s: index %d, then %d", key, first[key], index)
		}
	}
}

// Nodes that announce the same certificates at the same moment lose none.
func testAnnounceTogether(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	all := certificates(t, 40, far())
	var ids []string
	for id := range all {
		ids = append(ids, id)
	}
	errs := make([]error, 6)
	var nodes sync.WaitGroup
	for n := range errs {
		own := map[string]record.Certificate{}
		for i, id := range ids {
			if i%3 != n%3 {
				own[id] = all[id]
			}
		}
		nodes.Go(func() { errs[n] = c.AnnounceOnce(t.Context(), own, AnnounceOptions{}) }) // ends by itself
	}
	nodes.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	for id := range all {
		w, _, err := record.ParseWanted(record.Bucket(id), value(t, s, c.keys.wanted(record.Bucket(id))))
		if err != nil || w[id].IsZero() || value(t, s, c.keys.certificate(id)) == nil {
			t.Errorf("%s is not announced: %v, %v", id, w[id], err)
		}
	}
}

// What stands in the way is written over; lines of others stay.
func testAnnounceHostile(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	certs := certificates(t, 1, far())
	for id := range certs {
		bucket := record.Bucket(id)
		other := bucket + testID(1)[2:]
		put(t, s, c.keys.certificate(id), []byte(`{"leaf":"AAAA"}`))
		put(t, s, c.keys.wanted(bucket), []byte("garbage\n"+other+" 2026112109\n"+id+" 9999123123\n"))
		if err := c.AnnounceOnce(t.Context(), certs, AnnounceOptions{}); err != nil {
			t.Fatal(err)
		}
		w, bad, err := record.ParseWanted(bucket, value(t, s, c.keys.wanted(bucket)))
		if err != nil || bad != 0 || w[other].IsZero() || time.Since(w[id]) < 0 {
			t.Errorf("the bucket is %v, %d bad, %v", w, bad, err)
		}
		if _, err := record.DecodeCertificate(id, value(t, s, c.keys.certificate(id))); err != nil {
			t.Error(err)
		}
		wrong := map[string]record.Certificate{testID(3): certs[id]}
		if err := c.AnnounceOnce(t.Context(), wrong, AnnounceOptions{}); err == nil {
			t.Error("a certificate was announced under another id")
		}
	}
}

// heard is a Listener that keeps all that is announced.
type heard struct {
	all     map[string]record.Certificate
	changed func(all map[string]record.Certificate, a Announcements)
}

func listening(changed func(all map[string]record.Certificate, a Announcements)) Listener {
	return &heard{all: map[string]record.Certificate{}, changed: changed}
}

func (h *heard) Take(id string, c record.Certificate) { h.all[id] = c }

func (h *heard) Changed(a Announcements) {
	for _, id := range a.Gone {
		delete(h.all, id)
	}
	h.changed(maps.Clone(h.all), a)
}

// listen runs Announced for a leader; it tells the current set.
func listen(t *testing.T, c *Client, max int) (current func() map[string]record.Certificate, stop func() error) {
	t.Helper()
	var mu sync.Mutex
	var now map[string]record.Certificate
	stop = during(t, func(ctx context.Context) error {
		return c.TryLead(ctx, record.Leader{}, func(ctx context.Context, term *Term) error {
			return term.Announced(ctx, AnnouncedOptions{Max: max}, listening(func(all map[string]record.Certificate, _ Announcements) {
				mu.Lock()
				defer mu.Unlock()
				now = all
			}))
		})
	})
	return func() map[string]record.Certificate {
		mu.Lock()
		defer mu.Unlock()
		return now
	}, stop
}

func testAnnounced(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	current, stop := listen(t, c, 5)
	eventually(t, "an empty set", func() bool { return current() != nil && len(current()) == 0 })
	first := certificates(t, 2, far())
	wake := make(chan struct{}, 1)
	var more atomic.Bool
	both := certificates(t, 2, far())
	for id, cert := range first {
		both[id] = cert
	}
	stopAnnounce := during(t, func(ctx context.Context) error {
		return newClient(t, s).Announce(ctx, func() map[string]record.Certificate {
			if more.Load() {
				return both
			}
			return first
		}, AnnounceOptions{}, wake)
	})
	eventually(t, "two certificates", func() bool { return len(current()) == 2 })
	more.Store(true)
	wake <- struct{}{}
	eventually(t, "two more", func() bool { return len(current()) == 4 })
	if err := stopAnnounce(); err != nil {
		t.Errorf("Announce: %v", err)
	}

	// Lists that are empty and certificates that vanish end nothing.
	if _, err := s.Client().KV().DeleteTree(c.keys.wanteds(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client().KV().DeleteTree(c.keys.certificates(), nil); err != nil {
		t.Fatal(err)
	}
	if err := newClient(t, s).AnnounceOnce(t.Context(), certificates(t, 3, far()), AnnounceOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "as many as may be held", func() bool { return len(current()) == 5 })
	for id := range both {
		if _, ok := current()[id]; !ok {
			t.Errorf("%s was forgotten", id)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Announced: %v", err)
	}
}

// Past its time an announcement is followed no more, then removed; what was
// published of it stays until it has ended.
func testAnnouncedEnds(t *testing.T, s *consultest.Server) {
	at := newClock(start)
	c := newClient(t, s, at.set, func(c *Config) { c.Wait = 50 * time.Millisecond })
	ended := certificates(t, 1, start.Add(-time.Hour))
	unwanted := certificates(t, 1, far())
	kept := certificates(t, 1, far())
	ids := map[string]string{}
	for name, certs := range map[string]map[string]record.Certificate{"ended": ended, "unwanted": unwanted, "kept": kept} {
		for id := range certs {
			ids[name] = id
		}
		if err := c.AnnounceOnce(t.Context(), certs, AnnounceOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	served := response(ids["unwanted"], 1)
	served.Meta.Until = start.Add(60 * time.Hour)
	lead(t, c, func(ctx context.Context, term *Term) { publish(t, ctx, term, served) })

	current, _ := listen(t, c, 0)
	eventually(t, "what has not ended", func() bool { return len(current()) == 2 })
	at.advance(47 * time.Hour)
	if err := c.AnnounceOnce(t.Context(), kept, AnnounceOptions{}); err != nil {
		t.Fatal(err)
	}
	at.advance(3 * time.Hour) // nothing is written: time alone brings it
	eventually(t, "what is wanted", func() bool { _, ok := current()[ids["kept"]]; return ok && len(current()) == 1 })
	eventually(t, "the ended one's removal", func() bool { return value(t, s, c.keys.certificate(ids["ended"])) == nil })
	if value(t, s, c.keys.certificate(ids["unwanted"])) == nil || value(t, s, c.keys.der(ids["unwanted"])) == nil {
		t.Error("a response that has not ended was removed")
	}
	at.advance(11 * time.Hour)
	eventually(t, "the unwanted one's removal", func() bool { return value(t, s, c.keys.certificate(ids["unwanted"])) == nil })
	if value(t, s, c.keys.der(ids["unwanted"])) != nil || value(t, s, c.keys.meta(ids["unwanted"])) != nil {
		t.Error("what was published of it is still there")
	}
	if value(t, s, c.keys.certificate(ids["kept"])) == nil {
		t.Error("what is wanted was removed")
	}
}
