// Package chronicle notes of the responses that are kept as evidence where they
// were in place since when: on this node, and on those of a datacenter. The
// responses themselves the store keeps, before they get anywhere; what is noted
// here follows within seconds, and holds up nobody.
package chronicle

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

// Reason is that of a node's trouble while it can't keep evidence.
const Reason = "history"

// gather is how long notes are gathered before they are written: most often a
// response gets into its file and its servers within that.
const gather = time.Second

// retry is how long notes wait that could not be written, and mostWaiting how many
// do.
const (
	retry       = time.Minute
	mostWaiting = 20_000
)

// atOnce is of how many responses certificates are read at a time.
const atOnce = 512

// Config is what a Chronicle needs; all of it is required.
type Config struct {
	Store  *store.Store
	Logger hclog.Logger
	// On tells whether any certificate has a history, Keeps how many responses one
	// has.
	On    func() bool
	Keeps func(id string) int
	// Who are this node and its datacenter.
	Who func() (node, datacenter string)
	// Certificates are the certificates of these ids and their issuers, DER.
	Certificates func(ctx context.Context, ids []string) map[string]record.Certificate
	// Changed is told when something comes to be wrong with the history, or is well
	// again. It must not block or call the Chronicle.
	Changed func()
}

// Chronicle notes it. Its methods may be called concurrently; whoever tells it
// something waits for no disk.
type Chronicle struct {
	config Config
	wake   chan struct{}
	seed   maphash.Seed

	mu      sync.Mutex
	waiting map[keptKey]*keptNews
	// noted are hashes of what was heard last of each file: a comparison that
	// finds all in place is no news.
	noted  map[uint64]uint64
	lately []record.Lately
	// wrong is what is wrong with the history; nil: nothing.
	wrong *record.NodeTrouble
	// watches are told of responses that were kept.
	watches map[*keptWatch]bool
}

// New makes one; Run has it write.
func New(c Config) *Chronicle {
	return &Chronicle{
		config: c, wake: make(chan struct{}, 1), seed: maphash.MakeSeed(),
		waiting: map[keptKey]*keptNews{}, noted: map[uint64]uint64{}, watches: map[*keptWatch]bool{},
	}
}

// Kept is told by the store of a response that it kept, or could not: then Flush
// does, and where it got meanwhile is noted as of any other.
func (c *Chronicle) Kept(st record.Staple, err error) {
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
func (c *Chronicle) news(key keptKey) *keptNews {
	n := c.waiting[key]
	if n == nil {
		n = &keptNews{}
		c.waiting[key] = n
		wake(c.wake)
	}
	return n
}

// Applied hears how far a file came.
func (c *Chronicle) Applied(s writer.State) {
	if s.Applied.SHA256 == "" || !c.config.On() || c.config.Keeps(s.ID) == 0 {
		return
	}
	key, now := c.hash(s.Job, s.Path), c.hashState(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noted[key] == now {
		return
	}
	c.noted[key] = now
	node, datacenter := c.config.Who()
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
func (c *Chronicle) note(key keptKey, places []record.Stapled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.news(key)
	n.places = append(n.places, places...)
}

// catchUp keeps what is stored already and not kept yet.
func (c *Chronicle) catchUp(ids []string) {
	for _, id := range ids {
		st, found, err := c.config.Store.Staple(id)
		if err != nil || !found {
			continue // who needs it says so
		}
		m := st.Meta
		if c.config.Store.KeepStored(id, m.ThisUpdate, m.SHA256) != nil {
			c.note(keptKey{id, m.SHA256, m.ThisUpdate.Unix()}, nil) // Flush tries again
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

func (c *Chronicle) hash(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, p := range parts {
		h.WriteString(p)
		h.WriteByte(0)
	}
	return h.Sum64()
}

// hashState is of what placesOf looks at.
func (c *Chronicle) hashState(s writer.State) uint64 {
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

// Lately are the responses that got everywhere on this node, the latest of them.
func (c *Chronicle) Lately() []record.Lately {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lately)
}

// wake tells a loop to look again; one that was told already is not told twice.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep returns after d, or before when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
