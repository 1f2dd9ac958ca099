package writer

import (
	"os"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func (b *bench) pass(list ...record.Staple) Result {
	b.t.Helper()
	return b.writer.Pass(b.t.Context(), list)[0]
}

func TestPlaceholder(t *testing.T) {
	b := newBench(t)
	c := unknownIssuer(b.issue("www.example.com"))
	file := c.Path + ".ocsp"
	b.writer.Set([]Certificate{c})
	b.pass()
	b.holds(file, nil) // not unless it is wanted

	c.Placeholder = true
	b.writer.Set([]Certificate{c})
	if r := b.pass(); r.Outcome != Missing {
		t.Errorf("%+v", r)
	}
	b.holds(file, []byte{})
	if _, err := os.Stat(c.Path + ".issuer"); err != nil {
		t.Errorf("an empty response beside a certificate without issuer would stop HAProxy: %v", err)
	}
	der := b.answer(c, time.Minute)
	b.pass(from(c, der))
	b.holds(file, der)

	// What has ended is kept as a placeholder is: it registers the certificate.
	b.clock.add(2 * time.Hour)
	b.restart()
	b.writer.Set([]Certificate{c})
	b.pass()
	b.holds(file, der)
	b.onlyResponses()
}

// What a HAProxy with zero-warning would warn of is never there when it starts.
func TestZeroWarning(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	c.ZeroWarning, c.Placeholder = true, true
	file := c.Path + ".ocsp"
	b.writer.Set([]Certificate{c})
	if r := b.pass(); r.Reason != ReasonPlaceholder {
		t.Errorf("a placeholder: %+v", r)
	}
	b.holds(file, nil)
	der := b.answer(c, time.Minute)
	if r := b.pass(from(c, der)); r.Reason != "" {
		t.Errorf("%+v", r)
	}
	b.holds(file, der)
	b.clock.add(53 * time.Minute)
	b.pass()
	b.holds(file, der)
	b.clock.add(time.Minute) // 6 minutes are left
	b.pass()
	b.holds(file, nil)
	if s := b.state(c); s.Filed {
		t.Errorf("%+v", s)
	}
	// It comes back with the next response.
	der = b.answer(c, 0)
	b.pass(from(c, der))
	b.holds(file, der)

	for name, content := range map[string][]byte{
		"what ended while nothing ran":      b.answer(c, 3*time.Hour, func(a *testca.Answer) { a.NextUpdate = b.clock.Now().Add(-time.Hour) }),
		"of the certificate before renewal": b.answer(b.issue("old.example.com"), time.Minute),
		"an earlier placeholder":            {},
	} {
		b2 := newBench(t)
		renewed := c
		renewed.Path = b2.folder + "/www.pem"
		b2.clock, b2.ca = b.clock, b.ca
		b2.restart()
		if err := os.WriteFile(renewed.Path+".ocsp", content, 0o600); err != nil {
			t.Fatal(err)
		}
		b2.writer.Set([]Certificate{renewed})
		b2.pass()
		if _, err := os.Stat(renewed.Path + ".ocsp"); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
		b2.onlyResponses()
	}
	// What is nothing of ours stays, and so does everything without zero-warning.
	for content, zero := range map[string]bool{"-----BEGIN CERTIFICATE-----": true, "something else": true, "": false} {
		other := b.issue("other.example.com")
		other.ZeroWarning = zero
		if err := os.WriteFile(other.Path+".ocsp", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b.restart()
		b.writer.Set([]Certificate{other})
		b.pass()
		b.holds(other.Path+".ocsp", []byte(content))
	}
}
