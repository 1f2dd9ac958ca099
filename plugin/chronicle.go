package plugin

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// ReasonHistory is that of a node's trouble while it can't keep evidence.
const ReasonHistory = "history"

// chronicleGather is how long notes are gathered before they are written: most
// often a response gets into its file and its servers within that.
const chronicleGather = time.Second

// chronicleRetry is how long notes wait that could not be written, and
// chronicleMost how many do.
const (
	chronicleRetry = time.Minute
	chronicleMost  = 20_000
)

// chronicleAtOnce is of how many responses certificates are read at a time.
const chronicleAtOnce = 512

// chronicle notes of the responses that are kept as evidence where they were in
// place since when. The responses themselves the store keeps, before they get
// anywhere; what is noted here follows within seconds, and holds up nobody.
type chronicle struct {
	store  *store.Store
	logger hclog.Logger
	// on tells whether any certificate has a history, keeps how many responses
	// one has.
	on    func() bool
	keeps func(id string) int
	// who are this node and its datacenter.
	who func() (node, datacenter string)
	// certificates are the certificates of these ids and their issuers, DER.
	certificates func(ctx context.Context, ids []string) map[string]record.Certificate

	wake chan struct{}
	seed maphash.Seed

	mu      sync.Mutex
	waiting map[keptKey]*keptNews
	// noted are hashes of what was heard last of each file: a comparison that
	// finds all in place is no news.
	noted  map[uint64]uint64
	lately []record.Lately
	// wrong is what is wrong with the history; nil: nothing.
	wrong *record.NodeTrouble
	// changed is told when it comes and goes.
	changed func()
	// watches are told of responses that were kept.
	watches map[*keptWatch]bool
}

func newChronicle(s *store.Store, logger hclog.Logger) *chronicle {
	return &chronicle{
		store: s, logger: logger, wake: make(chan struct{}, 1), seed: maphash.MakeSeed(),
		waiting: map[keptKey]*keptNews{}, noted: map[uint64]uint64{}, watches: map[*keptWatch]bool{},
		changed: func() {},
	}
}

// kept is told by the store of a response that it kept, or could not: then flush
// does, and where it got meanwhile is noted as of any other.
func (c *chronicle) kept(st record.Staple, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := st.Meta
	key := keptKey{st.ID, m.SHA256, m.ThisUpdate.Unix()}
	n := c.news(key)
	if err == nil || n.kept == nil { // not with each vain attempt
		for w := range c.watches {
			w.fresh = append(w.fresh, key)
			wake(w.wake)
		}
	}
	n.kept = &record.Kept{Published: m.Published, Responder: m.Responder, Job: m.Job, Name: m.Name}
	if err != nil {
		c.ails("a response is not kept in the history", st.ID, err)
		return
	}
	n.kept.Kept = time.Now()
}

// news is what waits of a response; the caller holds mu.
func (c *chronicle) news(key keptKey) *keptNews {
	n := c.waiting[key]
	if n == nil {
		n = &keptNews{}
		c.waiting[key] = n
		wake(c.wake)
	}
	return n
}

// applied hears how far a file came.
func (c *chronicle) applied(s writer.State) {
	if s.Applied.SHA256 == "" || !c.on() || c.keeps(s.ID) == 0 {
		return
	}
	key, now := c.hash(s.Job, s.Path), c.hashState(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noted[key] == now {
		return
	}
	c.noted[key] = now
	node, datacenter := c.who()
	places, whole := placesOf(s, time.Now())
	for i := range places {
		places[i].Node, places[i].Datacenter = node, datacenter
	}
	n := c.news(keptKey{s.ID, s.Applied.SHA256, s.Applied.ThisUpdate.Unix()})
	n.places = append(n.places, places...)
	if whole && s.Loaded != s.Applied.SHA256 {
		c.lately = record.AddLately(c.lately, record.Lately{ID: s.ID, ThisUpdate: s.Applied.ThisUpdate, At: last(places)})
	}
}

// note takes places that somebody else learned of.
func (c *chronicle) note(key keptKey, places []record.Stapled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.news(key)
	n.places = append(n.places, places...)
}

// catchUp keeps what is stored already and not kept yet.
func (c *chronicle) catchUp(ids []string) {
	for _, id := range ids {
		st, found, err := c.store.Staple(id)
		if err != nil || !found {
			continue // who needs it says so
		}
		m := st.Meta
		if c.store.KeepStored(id, m.ThisUpdate, m.SHA256) != nil {
			c.note(keptKey{id, m.SHA256, m.ThisUpdate.Unix()}, nil) // flush tries again
		}
	}
}

// last is when the last of these places had it.
func last(places []record.Stapled) (at time.Time) {
	for _, s := range places {
		if s.At.After(at) {
			at = s.At
		}
	}
	return at
}

// placesOf are the places of this node that have what is applied, and whether
// these are all that there are.
func placesOf(s writer.State, now time.Time) (places []record.Stapled, whole bool) {
	whole = s.Reason == "" && (s.Filed || len(s.Targets) > 0)
	if s.Filed {
		how := record.HowFile
		if s.Loaded == s.Applied.SHA256 {
			how = record.HowFound
		}
		places = append(places, record.Stapled{At: now, How: how, Target: s.File})
	}
	for _, t := range s.Targets {
		// What a server has yet to load from its file is not in place there.
		if t.SHA256 != s.Applied.SHA256 || t.How == writer.Filed {
			whole = false
			continue
		}
		how := t.How
		if how == writer.Unchanged {
			how = record.HowFound
		}
		places = append(places, record.Stapled{At: t.At, How: how, Target: t.Name})
	}
	return places, whole
}

func (c *chronicle) hash(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, p := range parts {
		h.WriteString(p)
		h.WriteByte(0)
	}
	return h.Sum64()
}

// hashState is of what placesOf looks at.
func (c *chronicle) hashState(s writer.State) uint64 {
	parts := []string{s.Applied.SHA256, s.Reason, "file"}
	if !s.Filed {
		parts[2] = ""
	}
	for _, t := range s.Targets {
		if t.SHA256 == s.Applied.SHA256 && t.How != writer.Filed {
			parts = append(parts, t.Name)
		}
	}
	return c.hash(parts...)
}

// told are the responses that got everywhere on this node, the latest of them.
func (c *chronicle) told() []record.Lately {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lately)
}
