package plugin

import (
	"bytes"
	"context"
	"encoding/pem"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

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
	failed bool // the last response could not be kept
	// lacking says that the log knows of what could not be noted; it is flush's.
	lacking bool
	// watches are told of responses that were kept.
	watches map[*keptWatch]bool
}

// keptWatch is for one who waits for responses that are kept.
type keptWatch struct {
	wake  chan struct{}
	fresh []keptKey // under the chronicle's lock
}

// watch makes one, unwatch ends it, and takeWatched are the responses since the
// last time.
func (c *chronicle) watch() *keptWatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &keptWatch{wake: make(chan struct{}, 1)}
	c.watches[w] = true
	return w
}

func (c *chronicle) unwatch(w *keptWatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watches, w)
}

func (c *chronicle) takeWatched(w *keptWatch) []keptKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := w.fresh
	w.fresh = nil
	return fresh
}

// keptKey is one response.
type keptKey struct {
	id, sha256 string
	thisUpdate int64 // in seconds since 1970: all that a response has
}

// keptNews is what is yet to be noted of it.
type keptNews struct {
	kept   *record.Kept // nil: it was kept before
	places []record.Stapled
}

func newChronicle(s *store.Store, logger hclog.Logger) *chronicle {
	return &chronicle{
		store: s, logger: logger, wake: make(chan struct{}, 1), seed: maphash.MakeSeed(),
		waiting: map[keptKey]*keptNews{}, noted: map[uint64]uint64{}, watches: map[*keptWatch]bool{},
	}
}

// kept is told by the store of a response that it kept, or could not.
func (c *chronicle) kept(st record.Staple, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if !c.failed {
			c.logger.Error("a response is not kept in the history", "id", st.ID, "job", st.Meta.Job, "certificate", st.Meta.Name, "reason", writer.ReasonStore, "error", err)
		}
		c.failed = true
		return
	}
	if c.failed {
		c.failed = false
		c.logger.Info("responses are kept in the history again", "id", st.ID)
	}
	m := st.Meta
	key := keptKey{st.ID, m.SHA256, m.ThisUpdate.Unix()}
	for w := range c.watches {
		w.fresh = append(w.fresh, key)
		wake(w.wake)
	}
	c.news(key).kept = &record.Kept{
		Kept: time.Now(), Published: m.Published, Responder: m.Responder, Job: m.Job, Name: m.Name,
	}
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

// catchUp keeps what is stored already of certificates that have no history yet.
func (c *chronicle) catchUp(ids []string) {
	for _, id := range ids {
		if err := c.store.KeepStored(id); err != nil {
			c.logger.Debug("what is stored is not in the history", "id", id, "error", err)
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

// run writes what is to be noted until ctx ends, and then what is left.
func (c *chronicle) run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-c.wake:
			sleep(ctx, chronicleGather, nil)
			if !c.flush(ctx) {
				sleep(ctx, chronicleRetry, nil)
				wake(c.wake)
			}
		case <-ctx.Done():
		}
	}
	c.flush(ctx)
	return nil
}

// flush writes what is to be noted, and reports whether it could. What it could
// not waits for the next time.
func (c *chronicle) flush(ctx context.Context) bool {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = map[keptKey]*keptNews{}
	c.mu.Unlock()
	var notes []*store.Note
	whole := true
	for key, n := range waiting {
		if err := c.store.KeepStored(key.id); err != nil {
			whole = false
			c.lacks("a response is not in the history", key.id, err)
		}
		notes = append(notes, &store.Note{ID: key.id, SHA256: key.sha256, ThisUpdate: time.Unix(key.thisUpdate, 0), Change: n.add})
	}
	var failed []*store.Note
	for some := range slices.Chunk(notes, chronicleAtOnce) {
		c.addCertificates(ctx, some)
		c.store.Note(some)
		for _, n := range some {
			if n.Err != nil {
				failed = append(failed, n)
				c.lacks("the history lacks where a response was stapled", n.ID, n.Err)
			}
		}
	}
	if whole && len(failed) == 0 && len(waiting) > 0 && c.lacking {
		c.lacking = false
		c.logger.Info("what belongs to the history can be noted again")
	}
	c.again(failed, waiting)
	return len(failed) == 0
}

// again has noted with the next flush what could not be.
func (c *chronicle) again(failed []*store.Note, news map[keptKey]*keptNews) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range failed {
		key := keptKey{n.ID, n.SHA256, n.ThisUpdate.Unix()}
		old := news[key]
		if now := c.waiting[key]; now != nil {
			if now.kept == nil {
				now.kept = old.kept
			}
			now.places = append(old.places, now.places...)
			now.places = now.places[:min(len(now.places), record.MaxStapled)]
		} else if len(c.waiting) < chronicleMost {
			c.waiting[key] = old
		}
	}
}

// lacks warns of what can't be noted, once: a disk that is full is so for all.
func (c *chronicle) lacks(what, id string, err error) {
	level := hclog.Warn
	if c.lacking {
		level = hclog.Debug
	}
	c.lacking = true
	c.logger.Log(level, what, "id", id, "reason", writer.ReasonStore, "error", err)
}

// addCertificates has the certificates that the responses are for kept beside
// them: who has the folder then needs nothing else.
func (c *chronicle) addCertificates(ctx context.Context, notes []*store.Note) {
	bare := map[string]*store.Note{}
	for _, n := range notes {
		if !c.store.HasKeptCertificate(n.ID) {
			bare[n.ID] = n
		}
	}
	if len(bare) == 0 {
		return
	}
	for id, cert := range c.certificates(ctx, slices.Collect(maps.Keys(bare))) {
		bare[id].Certificate = func() []byte { return certificatePEM(cert) }
	}
}

// add puts what is new into notes.
func (n *keptNews) add(notes *record.Kept) bool {
	changed := false
	if n.kept != nil && notes.Kept.IsZero() {
		places := notes.Stapled
		*notes = *n.kept
		notes.Stapled = places
		changed = true
	}
	for _, s := range n.places {
		changed = notes.Note(s) || changed
	}
	if changed && notes.Kept.IsZero() {
		notes.Kept = time.Now() // a crash came before it was noted
	}
	return changed
}

func certificatePEM(c record.Certificate) []byte {
	var b bytes.Buffer
	for _, der := range [][]byte{c.Leaf, c.Issuer} {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.Bytes()
}
