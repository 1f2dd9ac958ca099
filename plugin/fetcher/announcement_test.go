package fetcher

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// announce is a target as a leader makes it of what a node announced.
func announce(t *testing.T, as *Announcements, c record.Certificate, s Settings) Target {
	t.Helper()
	a, err := as.Judge(c.ID(), c, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a.Target(s)
}

// An announced certificate is asked for and judged exactly as one of our own,
// and says the same of itself, though little of it is kept.
func TestAnnouncementIsAsTheCertificate(t *testing.T) {
	s := newScene(t)
	plain := s.target("a", "www.a")
	var as Announcements
	got := announce(t, &as, record.Certificate{Leaf: plain.Leaf.Raw, Issuer: plain.Issuer.Raw, Job: plain.Job, Name: plain.Name}, plain.Settings)
	if got.ID != plain.ID || got.Leaf != nil || !got.Announced || got.label() != plain.label() || got.issuerName() != plain.issuerName() ||
		fmt.Sprint(got.hostNames()) != fmt.Sprint(plain.hostNames()) || fmt.Sprint(got.urls()) != fmt.Sprint(plain.urls()) ||
		!got.notBefore().Equal(plain.notBefore()) || !got.notAfter().Equal(plain.notAfter()) {
		t.Errorf("%+v\nis not %+v", got, plain)
	}
	asked, err := got.request()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := plain.request(); err != nil || !bytes.Equal(asked, want) {
		t.Errorf("the request differs: %v", err)
	}
}

// What certificates have in common is held once, and what is remembered to know
// that is bounded, whatever nodes announce.
func TestAnnouncementsShare(t *testing.T) {
	s := newScene(t)
	a, b := s.target("a"), s.target("b")
	var as Announcements
	var got []*Announcement
	for _, c := range []Target{a, b} {
		one, err := as.Judge(c.ID, record.Certificate{Leaf: c.Leaf.Raw, Issuer: bytes.Clone(c.Issuer.Raw), Job: "edge", Name: c.Name}, nil, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, one)
	}
	if got[0].brief.Issuer() != got[1].brief.Issuer() || got[0].responders != got[1].responders {
		t.Error("an issuer or the responders are held twice")
	}
	for i := range 3 * maxShared {
		as.issuer(&x509.Certificate{Raw: []byte{byte(i), byte(i >> 8)}})
		as.urls([]string{fmt.Sprint(i)})
		as.job(fmt.Sprint(i))
	}
	if len(as.issuers) > maxShared || len(as.responders) > maxShared || len(as.jobs) > maxShared {
		t.Errorf("%d issuers, %d responders, %d jobs", len(as.issuers), len(as.responders), len(as.jobs))
	}
}

// Once a turn is over the response is in the store alone: the next turn asks
// whether it changed, a revocation is told, and what the store loses is fetched
// anew.
func TestAnnouncedResponseIsInTheStoreAlone(t *testing.T) {
	s := newScene(t)
	plain := s.target("a")
	var as Announcements
	target := announce(t, &as, record.Certificate{Leaf: plain.Leaf.Raw, Issuer: plain.Issuer.Raw, Job: "edge", Name: "a"}, plain.Settings)
	target.Settings.AllowPrivateAddresses = true
	s.f.Set([]Target{target})
	stop := s.run(s.f)
	clocktest.Eventually(t, "it is fetched", func() bool { return s.f.Counts().Turns[Fetched] == 1 })
	slim := func() *held {
		s.f.mu.Lock()
		defer s.f.mu.Unlock()
		return s.f.items[target.ID].held
	}
	clocktest.Eventually(t, "the response is let go", func() bool { h := slim(); return h != nil && h.staple == nil })
	st := s.f.States()[0]
	if st.Status != string(staple.Good) || st.Until.IsZero() || st.ThisUpdate.IsZero() || s.f.Held(staple.Good, nil) != 1 || s.f.Len() != 1 {
		t.Errorf("%+v", st)
	}
	s.answer(plain, func(responder.Request) (*responder.Answer, error) {
		now := time.Now()
		return s.respond(testca.Answer{Status: ocsp.Revoked, Serial: plain.Leaf.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour), RevokedAt: now}), nil
	})
	s.f.mu.Lock()
	s.f.queue(s.f.items[target.ID], s.f.c.Now())
	s.f.mu.Unlock()
	s.f.wakeUp()
	clocktest.Eventually(t, "it is revoked", func() bool { return s.f.Held(staple.Revoked, nil) == 1 })
	stop()
}
