package writer

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

func TestDeliveredResponseReachesFileTargetAndStore(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	c := b.issue("www.example.com")
	c.Targets = []Target{target}
	b.writer.Set([]Certificate{c})
	if s := b.state(c); s.Reason != ReasonWaiting {
		t.Errorf("before: %q", s.Reason)
	}
	src := newFeed()
	b.run(src)
	first := b.answer(c, time.Minute)
	src.list <- []record.Staple{from(c, first)}
	clocktest.Eventually(t, "the target to be told", func() bool { return target.has(c.Name, first) })
	b.holds(c.Path+".ocsp", first)
	clocktest.Eventually(t, "data_dir to hold it, which no target waits for", func() bool {
		st, ok, err := b.data.Staple(c.ID)
		return err == nil && ok && string(st.DER) == string(first)
	})
	target.set(func() {
		if f := target.told[c.Name].File; f != c.Path+".ocsp" {
			t.Errorf("the target was told of file %q", f)
		}
	})

	second := b.answer(c, time.Second, revoked)
	src.list <- []record.Staple{from(c, second)}
	clocktest.Eventually(t, "the revoked response", func() bool { return target.has(c.Name, second) })
	b.holds(c.Path+".ocsp", second)
	clocktest.Eventually(t, "the state", func() bool {
		s := b.state(c)
		return s.Reason == "" && s.Applied.Status == "revoked" && s.Filed && len(s.Targets) == 1 && s.Targets[0].How == "set"
	})
	b.onlyResponses()
}

func TestRefusedCandidatesChangeNothing(t *testing.T) {
	b := newBench(t)
	stranger := testcatest.Init(t, testca.InitOptions{Name: "stranger"})
	target := newRecorder("haproxy")
	c, other := b.issue("www.example.com"), b.issue("other.example.com")
	c.Targets = []Target{target}
	good := b.answer(c, time.Minute)
	b.writer.Set([]Certificate{c})
	src := newFeed()
	b.run(src)
	src.list <- []record.Staple{from(c, good)}
	clocktest.Eventually(t, "the good one", func() bool { return target.has(c.Name, good) })
	calls := target.count()

	for name, bad := range map[string]struct {
		der    []byte
		reason string
	}{
		"older":    {b.answer(c, time.Hour), ReasonOlder},
		"forged":   {b.answer(c, 0, func(a *testca.Answer) { a.Signer = stranger.Key() }), "signature"},
		"other's":  {b.answer(other, 0), "serial"},
		"random":   {[]byte("\x30\x03not a response"), "malformed"},
		"unknown":  {b.answer(c, 0, func(a *testca.Answer) { a.Status = 2 }), "unknown"},
		"too late": {b.answer(c, 0, func(a *testca.Answer) { a.ThisUpdate = b.clock.Now().Add(10 * time.Minute) }), "not-yet-valid"},
	} {
		src.list <- []record.Staple{from(c, bad.der)}
		src.list <- []record.Staple{} // the one before is done
		s := b.state(c)
		if s.Refused == nil || s.Refused.Reason != bad.reason {
			t.Errorf("%s: refused %+v, want %s", name, s.Refused, bad.reason)
		}
		if s.Reason != "" || s.Held.SHA256 != record.Checksum(good) {
			t.Errorf("%s: state %q %q", name, s.Reason, s.Error)
		}
		b.holds(c.Path+".ocsp", good)
	}
	if target.count() != calls {
		t.Errorf("the target was told %d times of something refused", target.count()-calls)
	}
	b.keeps(c, good)
	src.list <- []record.Staple{from(c, good)}
	src.list <- []record.Staple{}
	if s := b.state(c); s.Refused != nil {
		t.Errorf("the source was mended, still: %+v", s.Refused)
	}
}

func TestStartTrustsItsDisk(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	c := b.issue("www.example.com")
	c.Targets = []Target{target}
	old, young := b.answer(c, time.Hour), b.answer(c, time.Minute)
	if err := os.WriteFile(c.Path+".ocsp", young, 0o644); err != nil {
		t.Fatal(err)
	}
	b.writer.Set([]Certificate{c})
	if st, ok, _ := b.data.Staple(c.ID); !ok || string(st.DER) != string(young) {
		t.Error("the file's response was not learned")
	}
	if m, ok := b.writer.holds(c.ID); !ok || m.SHA256 != record.Checksum(young) {
		t.Error("the source is not told of it")
	}
	src := newFeed()
	stop := b.run(src)
	clocktest.Eventually(t, "the file's response to be installed", func() bool { return target.has(c.Name, young) })
	src.list <- []record.Staple{from(c, old)}
	src.list <- []record.Staple{}
	stop()
	b.holds(c.Path+".ocsp", young)

	// Without the file, from data_dir.
	if err := os.Remove(c.Path + ".ocsp"); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.writer.Set([]Certificate{c})
	b.run(newFeed())
	clocktest.Eventually(t, "the file to be back", func() bool { _, err := os.Stat(c.Path + ".ocsp"); return err == nil })
	b.holds(c.Path+".ocsp", young)
}

func TestForgedDataDirIsNotUsedAndMended(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	forged := b.answer(c, 0, func(a *testca.Answer) { a.BadSignature = true })
	if err := b.data.Replace(from(c, forged)); err != nil {
		t.Fatal(err)
	}
	b.writer.Set([]Certificate{c})
	if s := b.state(c); s.Reason != "signature" {
		t.Errorf("reason %q", s.Reason)
	}
	good := b.answer(c, time.Minute)
	results := b.writer.Pass(context.Background(), []record.Staple{from(c, good)})
	if len(results) != 1 || results[0].Outcome != Applied {
		t.Fatalf("results: %+v", results)
	}
	b.holds(c.Path+".ocsp", good)
	st, _, err := b.data.Staple(c.ID)
	if err != nil || string(st.DER) != string(good) {
		t.Errorf("data_dir still holds the forged response, which claims to be newer: %v", err)
	}
}

func TestNewerFileOfAnotherProcessIsKept(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	c := b.issue("www.example.com")
	c.Targets = []Target{target}
	b.writer.Set([]Certificate{c})
	src := newFeed()
	b.run(src)
	young := b.answer(c, 0)
	if err := os.WriteFile(c.Path+".ocsp", young, 0o644); err != nil {
		t.Fatal(err)
	}
	src.list <- []record.Staple{from(c, b.answer(c, time.Hour))}
	clocktest.Eventually(t, "the file's response to be installed", func() bool { return target.has(c.Name, young) })
	b.holds(c.Path+".ocsp", young)
	if s := b.state(c); s.Held.SHA256 != record.Checksum(young) {
		t.Error("the state does not show it")
	}
}

func TestShortLivedIsHeldBackAndTheGoodOneStays(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	c := b.issue("www.example.com")
	c.Targets = []Target{target}
	good := b.answer(c, time.Hour)
	b.writer.Set([]Certificate{c})
	b.writer.Pass(context.Background(), []record.Staple{from(c, good)})
	if !target.has(c.Name, good) {
		t.Fatal("the good one was not installed")
	}
	calls := target.count()
	now := b.clock.Now()
	for _, bad := range []struct {
		reason     string
		this, next time.Time
	}{
		{"short-lived", now.Add(-time.Minute), now.Add(9 * time.Minute)},
		{"no-next-update", now, time.Time{}},
	} {
		r := b.writer.Pass(context.Background(), []record.Staple{from(c, b.answer(c, 0, func(a *testca.Answer) {
			a.ThisUpdate, a.NextUpdate = bad.this, bad.next
		}))})
		if r[0].Outcome != Failed || r[0].Reason != bad.reason || r[0].State.Applied.SHA256 != record.Checksum(good) {
			t.Errorf("%s: %s %s", bad.reason, r[0].Outcome, r[0].Reason)
		}
		b.holds(c.Path+".ocsp", good)
	}
	target.set(func() {
		if string(target.told[c.Name].Facts.DER) != string(good) || target.calls > calls+2 {
			t.Error("the target was told of one that does not fit")
		}
	})
}

// TestLargeResponseGoesToTheFile: above what a runtime command takes, below
// what HAProxy reads of a file.
func TestLargeResponseGoesToTheFile(t *testing.T) {
	b := newBench(t)
	c, other := b.issue("www.example.com"), b.issue("other.example.com")
	large := func(c Certificate, n int) []byte {
		return b.answer(c, time.Minute, func(a *testca.Answer) {
			a.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: make([]byte, n)}}
		})
	}
	fits, tooLarge := large(c, 12_000), large(other, 17_000)
	b.writer.Set([]Certificate{c, other})
	for _, r := range b.writer.Pass(context.Background(), []record.Staple{from(c, fits), from(other, tooLarge)}) {
		if want := map[string]string{c.ID: "", other.ID: "too-large"}[r.State.ID]; r.Reason != want {
			t.Errorf("%s: %s %s", r.State.Name, r.Outcome, r.Error)
		}
	}
	b.holds(c.Path+".ocsp", fits)
	b.holds(other.Path+".ocsp", nil)
}

func TestEndedStapleIsLeftInPlace(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	good := b.answer(c, time.Minute)
	b.writer.Set([]Certificate{c})
	b.writer.Pass(context.Background(), []record.Staple{from(c, good)})
	b.clock.add(2 * time.Hour)
	b.writer.Pass(context.Background(), nil)
	if s := b.state(c); s.Reason != ReasonEnded {
		t.Errorf("reason %q", s.Reason)
	}
	b.holds(c.Path+".ocsp", good)

	// Started again with that clock, which may be wrong: nothing is dropped.
	b.restart()
	b.writer.Set([]Certificate{c})
	b.writer.Pass(context.Background(), nil)
	b.holds(c.Path+".ocsp", good)
	b.clock.add(-2 * time.Hour)
	b.restart()
	b.writer.Set([]Certificate{c})
	if s := b.state(c); s.Held.SHA256 != record.Checksum(good) {
		t.Error("with the clock mended it is not used")
	}
}

func TestSetDuringRun(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	first, second := b.issue("first.example.com"), b.issue("second.example.com")
	b.writer.Set([]Certificate{first})
	src := newFeed()
	b.run(src)
	<-src.started
	der := b.answer(first, time.Minute)
	src.list <- []record.Staple{from(first, der)}
	clocktest.Eventually(t, "the first file", func() bool { return b.state(first).Filed })

	second.Targets = []Target{target}
	b.writer.Set([]Certificate{second})
	select {
	case ids := <-src.woken:
		if len(ids) != 1 || ids[0] != second.ID {
			t.Errorf("woken for %v", ids)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the source was not woken")
	}
	b.holds(first.Path+".ocsp", der)
	src.list <- []record.Staple{from(first, b.answer(first, 0)), from(second, b.answer(second, 0))}
	clocktest.Eventually(t, "the second file", func() bool { return b.state(second).Filed })
	b.holds(first.Path+".ocsp", der)
	clocktest.Eventually(t, "the second's target", func() bool { return target.count() > 0 })
}

func TestRotatedCertificateGetsTheStapleThatFits(t *testing.T) {
	b := newBench(t)
	old := b.issue("www.example.com")
	b.writer.Set([]Certificate{old})
	was := b.answer(old, time.Minute)
	b.writer.Pass(context.Background(), []record.Staple{from(old, was)})
	if err := os.Rename(old.Path, old.Path+".old"); err != nil {
		t.Fatal(err)
	}
	renewed := b.issue("www.example.com")
	b.writer.Set([]Certificate{renewed})
	if s := b.state(renewed); s.Reason != ReasonWaiting {
		t.Errorf("reason %q", s.Reason)
	}
	b.holds(old.Path+".ocsp", was)
	is := b.answer(renewed, 2*time.Minute) // older than the one for the certificate before
	b.writer.Pass(context.Background(), []record.Staple{from(renewed, is)})
	b.holds(renewed.Path+".ocsp", is)
}

func TestSameCertificateBehindTwoFiles(t *testing.T) {
	b := newBench(t)
	one := b.issue("www.example.com")
	two := one
	two.Path = filepath.Join(b.folder, "copy.pem")
	three := withIssuer(one, nil)
	three.Job = "unknown"
	b.writer.Set([]Certificate{one, two, three})
	der := b.answer(one, time.Minute)
	b.writer.Pass(context.Background(), []record.Staple{from(one, der)})
	b.holds(one.Path+".ocsp", der)
	b.holds(two.Path+".ocsp", der)
	if s := b.state(three); s.Reason != ReasonIssuerUnknown {
		t.Errorf("without issuer: %q", s.Reason)
	}
}

func TestIssuerThatDoesNotFitRefusesAll(t *testing.T) {
	b := newBench(t)
	stranger := testcatest.Init(t, testca.InitOptions{Name: "stranger"})
	c := withIssuer(b.issue("www.example.com"), stranger.Certificate())
	der := testcatest.Respond(t, stranger, testca.Answer{Serial: c.Leaf.SerialNumber, NextUpdate: b.clock.Now().Add(time.Hour)})
	b.writer.Set([]Certificate{c})
	r := b.writer.Pass(context.Background(), []record.Staple{from(c, der)})
	if r[0].Outcome != Failed || r[0].Reason != "wrong-issuer" {
		t.Errorf("%s %s", r[0].Outcome, r[0].Reason)
	}
	b.holds(c.Path+".ocsp", nil)
}

func TestTrustedResponderOption(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	stranger := testcatest.Init(t, testca.InitOptions{Name: "stranger"})
	der := b.answer(c, time.Minute, func(a *testca.Answer) { a.Signer, a.SignerCert = stranger.Key(), stranger.Certificate() })
	b.writer.Set([]Certificate{c})
	if r := b.writer.Pass(context.Background(), []record.Staple{from(c, der)}); r[0].Outcome != Failed {
		t.Errorf("a stranger's signature: %s", r[0].Outcome)
	}
	c.Options.TrustedResponders = []*x509.Certificate{stranger.Certificate()}
	b.writer.Set([]Certificate{c})
	if r := b.writer.Pass(context.Background(), []record.Staple{from(c, der)}); r[0].Outcome != Applied {
		t.Errorf("of one that is trusted: %s %s", r[0].Outcome, r[0].Error)
	}
}

// TestNothingIsLostWhileCertificatesChange delivers while Set runs.
func TestNothingIsLostWhileCertificatesChange(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	c := b.issue("www.example.com")
	c.Targets = []Target{target}
	b.writer.Set([]Certificate{c})
	src := newFeed()
	b.run(src)
	changing := make(chan struct{})
	// Ends by itself; the test waits for it.
	go func() {
		defer close(changing)
		for i := range 100 {
			other := c
			other.MustStaple = i%2 == 0
			b.writer.Set([]Certificate{other})
		}
	}()
	var last []byte
	for i := range 50 {
		last = b.answer(c, time.Hour-time.Duration(i)*time.Second)
		src.list <- []record.Staple{from(c, last)}
	}
	<-changing
	clocktest.Eventually(t, "the last response", func() bool { return target.has(c.Name, last) && b.state(c).Applied.SHA256 == record.Checksum(last) })
	b.holds(c.Path+".ocsp", last)
}
