package writer

import (
	"context"
	"encoding/pem"
	"os"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

func TestIssuerIsWrittenBeforeTheResponse(t *testing.T) {
	stranger := testcatest.Init(t, testca.InitOptions{Name: "stranger"})
	text := func(ca *testca.CA) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw})
	}
	for name, c := range map[string]struct {
		there  func(b *bench) []byte
		write  bool
		reason string
		kept   bool // what is there stays
	}{
		"none":            {write: true},
		"not allowed":     {reason: ReasonIssuerUnknown},
		"of before":       {there: func(*bench) []byte { return text(stranger) }, write: true},
		"empty":           {there: func(*bench) []byte { return []byte{} }, write: true},
		"in DER":          {there: func(b *bench) []byte { return b.ca.Certificate().Raw }, write: true},
		"right, and more": {there: func(b *bench) []byte { return append(text(b.ca), text(stranger)...) }, write: true, kept: true},
		"something else":  {there: func(*bench) []byte { return []byte("notes") }, write: true, reason: ReasonIssuerFile, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			target := newRecorder("haproxy")
			cert := unknownIssuer(b.issue("www.example.com"))
			cert.WriteIssuer, cert.Targets = c.write, []Target{target}
			var there []byte
			if c.there != nil {
				there = c.there(b)
				makeFile(t, cert.Path+".issuer", string(there))
			}
			b.writer.Set([]Certificate{cert})
			der := b.answer(cert, time.Minute)
			r := b.writer.Pass(context.Background(), []record.Staple{from(cert, der)})
			if r[0].Reason != c.reason {
				t.Errorf("reason %q %s", r[0].Reason, r[0].Error)
			}
			if !target.has(cert.Name, der) {
				t.Error("the target was not told; it can send the issuer along")
			}
			switch {
			case c.kept:
				b.holds(cert.Path+".issuer", there)
			case c.write:
				b.holds(cert.Path+".issuer", text(b.ca))
			}
			if c.reason != "" {
				b.holds(cert.Path+".ocsp", nil) // HAProxy would not start
				return
			}
			b.holds(cert.Path+".ocsp", der)
		})
	}
}

func TestFileThatHoldsAPEMIsNotReplaced(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	c.OCSPFile = c.Path // a slip in the job file
	before, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	b.writer.Set([]Certificate{c})
	r := b.writer.Pass(context.Background(), []record.Staple{from(c, b.answer(c, time.Minute))})
	if r[0].Outcome != Failed || r[0].Reason != ReasonPath {
		t.Errorf("%s %s", r[0].Outcome, r[0].Reason)
	}
	b.holds(c.Path, before)
}

func TestOnRevoked(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	keep, remove := b.issue("keep.example.com"), b.issue("remove.example.com")
	keep.OnRevoked, remove.OnRevoked = "keep", "remove"
	keep.Targets, remove.Targets = []Target{target}, []Target{target}
	b.writer.Set([]Certificate{keep, remove})
	was, gone := b.answer(keep, time.Hour), b.answer(remove, time.Hour)
	b.writer.Pass(context.Background(), []record.Staple{from(keep, was), from(remove, gone)})
	is := b.answer(remove, time.Minute, revoked)
	r := b.writer.Pass(context.Background(), []record.Staple{from(keep, b.answer(keep, time.Minute, revoked)), from(remove, is)})
	b.holds(keep.Path+".ocsp", was)
	if s := b.state(keep); s.Reason != ReasonKept || s.Held.Status != "revoked" || s.Applied.Status != "good" || r[0].Outcome != Unchanged {
		t.Errorf("keep: %s %+v", r[0].Outcome, s)
	}
	b.holds(remove.Path+".ocsp", nil)
	target.set(func() {
		if s := target.told[remove.Name]; s.Facts.Status != "revoked" || s.File != "" {
			t.Errorf("remove: told %s with file %q", s.Facts.Status, s.File)
		}
	})
}
