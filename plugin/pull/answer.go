package pull

import (
	"context"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Certificate is one that is answered for.
type Certificate struct {
	ID string
	// Pair is the certificate and its issuer.
	Pair *staple.Pair
	// AllowSHA1Signatures and TrustedResponders are as in staple.Options.
	AllowSHA1Signatures bool
	TrustedResponders   []*x509.Certificate
}

// Config is what an Answerer is made from; all of it may be zero.
type Config struct {
	Now    func() time.Time // default time.Now
	Logger hclog.Logger
}

// Answerer holds verified responses. Its methods may be called concurrently.
type Answerer struct {
	now    func() time.Time
	logger hclog.Logger

	mu      sync.RWMutex
	entries map[string]*entry // by certificate id
	keys    map[key]*entry

	counts counts
	// refused: a response was refused since the last look, perhaps by a clock
	// that is slow.
	refused atomic.Bool
}

// entry is a certificate and what is held for it.
type entry struct {
	certificate Certificate
	answer      atomic.Pointer[answer]
}

// answer is a response, ready to be sent.
type answer struct {
	facts *staple.Facts
	meta  record.Meta
	etag  string
	// lastModified and expires are HTTP dates.
	lastModified, expires string
}

// New makes an Answerer that has nothing yet.
func New(c Config) *Answerer {
	a := &Answerer{now: c.Now, logger: c.Logger, entries: map[string]*entry{}, keys: map[key]*entry{}}
	if a.now == nil {
		a.now = time.Now
	}
	if a.logger == nil {
		a.logger = hclog.NewNullLogger()
	}
	return a
}

// Set replaces the certificates that are answered for. Responses of those that
// stay stay.
func (a *Answerer) Set(list []Certificate) {
	entries, keys := make(map[string]*entry, len(list)), make(map[key]*entry, len(list))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range list {
		if entries[c.ID] != nil {
			continue
		}
		id, err := staple.CertID(c.Pair.Leaf(), c.Pair.Issuer())
		if err != nil {
			continue // nobody can ask for it
		}
		k, err := parseCertID(id)
		if err != nil {
			continue
		}
		e := &entry{certificate: c}
		if old := a.entries[c.ID]; old != nil && sameJudge(old.certificate, c) {
			e.certificate = old.certificate // whose pair is proven
			e.answer.Store(old.answer.Load())
		}
		entries[c.ID], keys[k] = e, e
	}
	a.entries, a.keys = entries, keys
}

// sameJudge tells whether what was accepted by one would be by the other.
func sameJudge(a, b Certificate) bool {
	if a.AllowSHA1Signatures != b.AllowSHA1Signatures || len(a.TrustedResponders) != len(b.TrustedResponders) || !a.Pair.Issuer().Equal(b.Pair.Issuer()) {
		return false
	}
	for i, r := range a.TrustedResponders {
		if !r.Equal(b.TrustedResponders[i]) {
			return false
		}
	}
	return true
}

// IDs are the certificates that responses are wanted for.
func (a *Answerer) IDs() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	ids := make([]string, 0, len(a.entries))
	for id := range a.entries {
		ids = append(ids, id)
	}
	return ids
}

// Holds is what the response that is held for id says.
func (a *Answerer) Holds(id string) (record.Meta, bool) {
	if e := a.entry(id); e != nil {
		if held := e.answer.Load(); held != nil {
			return held.meta, true
		}
	}
	return record.Meta{}, false
}

// Refused tells whether a response was refused since it was last called: what a
// slow clock makes look too new is to be delivered once more, later.
func (a *Answerer) Refused() bool { return a.refused.Swap(false) }

func (a *Answerer) entry(id string) *entry {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.entries[id]
}

// Deliver takes responses of a store. Each is verified, and what its meta says
// counts for nothing; one that is refused, says neither good nor revoked, or is
// older than what is held changes nothing.
func (a *Answerer) Deliver(_ context.Context, list []record.Staple) {
	for _, st := range list {
		e := a.entry(st.ID)
		if e == nil {
			continue
		}
		facts, err := e.certificate.Pair.Verify(st.DER, staple.Options{
			Now: a.now(), AllowSHA1Signatures: e.certificate.AllowSHA1Signatures, TrustedResponders: e.certificate.TrustedResponders,
		})
		if err != nil {
			a.refused.Store(true)
			a.logger.Debug("response is not handed on", "id", st.ID, "reason", staple.ReasonOf(err), "error", err)
			continue
		}
		if facts.Status != staple.Good && facts.Status != staple.Revoked {
			a.logger.Debug("response is not handed on", "id", st.ID, "status", facts.Status)
			continue
		}
		e.put(newAnswer(facts))
	}
}

// put keeps the newer one.
func (e *entry) put(n *answer) {
	for {
		old := e.answer.Load()
		if old != nil && !n.meta.Supersedes(old.meta) {
			return
		}
		if e.answer.CompareAndSwap(old, n) {
			return
		}
	}
}

// find is the response for a key at this moment. known: the certificate is
// among ours, even though there may be no response.
func (a *Answerer) find(k key, now time.Time) (found *answer, known bool) {
	a.mu.RLock()
	e := a.keys[k]
	a.mu.RUnlock()
	if e == nil {
		return nil, false
	}
	if found = e.answer.Load(); found != nil && !now.Before(found.facts.Until) {
		found = nil
	}
	return found, true
}
