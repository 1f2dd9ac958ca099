package render

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// pki is a CA with two certificates.
type pki struct {
	ca         *testca.CA
	www, other *testca.Issued
	now        time.Time
}

func newPKI(t *testing.T) pki {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	return pki{
		ca: ca, now: time.Now().UTC().Truncate(time.Second),
		www:   testcatest.Issue(t, ca, testca.IssueOptions{}, "www.example.com"),
		other: testcatest.Issue(t, ca, testca.IssueOptions{}, "other.example.com"),
	}
}

// answer is a response about www that is this old and lives for a day.
func (p pki) answer(t *testing.T, age time.Duration, change func(*testca.Answer)) []byte {
	t.Helper()
	a := testca.Answer{Serial: p.www.Serial, ThisUpdate: p.now.Add(-age), NextUpdate: p.now.Add(24*time.Hour - age)}
	if change != nil {
		change(&a)
	}
	return testcatest.Respond(t, p.ca, a)
}

func (p pki) newest(ctx context.Context, sources ...Source) (*staple.Facts, error) {
	return Newest(ctx, sources, p.www.Leaf, p.ca.Certificate(), staple.Options{Now: p.now})
}

// holds is a source that says of its response whatever makes it look newest.
func holds(der []byte) Source {
	return From("holder", func(_ context.Context, id string) (record.Staple, bool, error) {
		meta := record.Meta{Status: "revoked", ThisUpdate: time.Now().Add(time.Hour), SHA256: record.Checksum(der)}
		return record.Staple{ID: id, Meta: meta, DER: der}, true, nil
	})
}

func empty() Source {
	return From("empty", func(context.Context, string) (record.Staple, bool, error) { return record.Staple{}, false, nil })
}

func broken() Source {
	return From("broken", func(context.Context, string) (record.Staple, bool, error) {
		return record.Staple{}, false, errors.New("connection refused")
	})
}

func hangs() Source {
	return From("hanging", func(ctx context.Context, _ string) (record.Staple, bool, error) {
		<-ctx.Done()
		return record.Staple{}, false, ctx.Err()
	})
}

func revoked(a *testca.Answer) { a.Status = ocsp.Revoked }

func TestNewest(t *testing.T) {
	p := newPKI(t)
	old, fresh := p.answer(t, 2*time.Hour, nil), p.answer(t, time.Hour, nil)
	bad := p.answer(t, time.Hour, revoked)
	forged := p.answer(t, 0, func(a *testca.Answer) { a.BadSignature = true })
	others := p.answer(t, 0, func(a *testca.Answer) { a.Serial = p.other.Serial })
	unknown := p.answer(t, 0, func(a *testca.Answer) { a.Status = ocsp.Unknown })
	ended := p.answer(t, 25*time.Hour, nil)
	for _, c := range []struct {
		name    string
		sources []Source
		want    []byte
	}{
		{"one", []Source{holds(fresh)}, fresh},
		{"the newer one is second", []Source{holds(old), holds(fresh)}, fresh},
		{"the newer one is first", []Source{holds(fresh), holds(old)}, fresh},
		{"revoked wins a tie", []Source{holds(fresh), holds(bad)}, bad},
		{"and keeps it", []Source{holds(bad), holds(fresh)}, bad},
		{"newer good over older revoked", []Source{holds(p.answer(t, 2*time.Hour, revoked)), holds(fresh)}, fresh},
		{"one fails", []Source{broken(), holds(old)}, old},
		{"one has nothing", []Source{empty(), holds(old)}, old},
		{"forged", []Source{holds(forged), holds(old)}, old},
		{"another certificate's", []Source{holds(others), holds(old)}, old},
		{"unknown", []Source{holds(unknown), holds(old)}, old},
		{"ended", []Source{holds(ended), holds(old)}, old},
		{"random bytes", []Source{holds([]byte("random bytes")), holds(old)}, old},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := p.newest(t.Context(), c.sources...)
			if err != nil {
				t.Fatal(err)
			}
			if string(f.DER) != string(c.want) {
				t.Errorf("another response, of %s, %s", f.ThisUpdate, f.Status)
			}
		})
	}
}

func TestNewestRefuses(t *testing.T) {
	p := newPKI(t)
	for _, c := range []struct {
		name   string
		source Source
		want   string
	}{
		{"forged", holds(p.answer(t, 0, func(a *testca.Answer) { a.BadSignature = true })), "signature"},
		{"another certificate's", holds(p.answer(t, 0, func(a *testca.Answer) { a.Serial = p.other.Serial })), "serial"},
		{"unknown", holds(p.answer(t, 0, func(a *testca.Answer) { a.Status = ocsp.Unknown })), "unknown"},
		{"ended", holds(p.answer(t, 25*time.Hour, nil)), "expired"},
		{"empty bytes", holds(nil), "malformed"},
		{"nothing", empty(), ""},
		{"failure", broken(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := p.newest(t.Context(), c.source)
			if f != nil || !errors.Is(err, ErrNone) {
				t.Fatalf("%v, %v", f, err)
			}
			if got := string(staple.ReasonOf(err)); got != c.want {
				t.Errorf("reason %q, want %q: %v", got, c.want, err)
			}
			if errors.Is(err, errAbsent) != (c.name == "nothing") {
				t.Errorf("a source without a response, or with a bad one: %v", err)
			}
		})
	}
}

func TestNoneErrorNamesEverySource(t *testing.T) {
	p := newPKI(t)
	_, err := p.newest(t.Context(), empty(), broken(), holds([]byte{1}))
	want := "no verified staple for certificate " + staple.ID(p.www.Leaf) + ": empty: has no response; broken: connection refused; holder: malformed"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s…", err, want)
	}
	if _, err := p.newest(t.Context()); !errors.Is(err, ErrNone) {
		t.Errorf("without sources: %v", err)
	}
}

func TestHangingSourceHidesNothing(t *testing.T) {
	p := newPKI(t)
	der := p.answer(t, 0, nil)
	ctx, cancel := context.WithCancel(t.Context())
	last := From("last", func(ctx context.Context, id string) (record.Staple, bool, error) {
		// All are asked at once, or this would never be reached.
		defer cancel()
		return holds(der).Staple(ctx, id)
	})
	if f, err := p.newest(ctx, hangs(), last); err != nil || string(f.DER) != string(der) {
		t.Error(f, err)
	}
}

func TestWrongIssuerIsNotNone(t *testing.T) {
	p, q := newPKI(t), newPKI(t)
	_, err := Newest(t.Context(), []Source{broken()}, p.www.Leaf, q.ca.Certificate(), staple.Options{Now: p.now})
	if err == nil || errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := Newest(t.Context(), nil, nil, nil, staple.Options{Now: p.now}); err == nil || errors.Is(err, ErrNone) {
		t.Error(err)
	}
}
