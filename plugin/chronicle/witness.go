package chronicle

import (
	"context"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	// witnessPause is between two looks at the nodes' records while there is
	// something to see, witnessIdle while there is not.
	witnessPause = 5 * time.Second
	witnessIdle  = 10 * time.Minute
	// witnessSpacing is between two records where there are more than witnessFew:
	// each may be a hundred kilobytes.
	witnessSpacing = 2 * time.Second
	witnessFew     = 10
	// witnessYoung is for how long a response that some node lacks is looked for
	// oftener than in idle times: nodes say at least every three minutes what they
	// have.
	witnessYoung = 15 * time.Minute
	// witnessNotes bounds what is gathered in one look.
	witnessNotes = 100_000
	// witnessGone is after what silence a node is not waited for.
	witnessGone = time.Hour
	// witnessSkew is how far the clocks of nodes may be off, to be believed.
	witnessSkew = 5 * time.Minute
)

// Datacenter is one whose nodes are asked what they have.
type Datacenter struct {
	Name  string // as it is noted
	Own   string // the node that notes its own times; empty: none
	Nodes Nodes
	// IDs are the certificates whose responses are kept.
	IDs func() []string
	// Replaced is closed when Config.On, or IDs, may say something else.
	Replaced func() <-chan struct{}
}

// Nodes reads the records of a datacenter's nodes; see consul.Client.
type Nodes interface {
	NodeNames(ctx context.Context) ([]string, error)
	Node(ctx context.Context, name string) (n record.Node, found bool, err error)
}

// witness notes, while this agent leads, since when the nodes of a datacenter
// have the responses that it keeps. A node that keeps a history tells the times
// of its latest responses itself; of others there is when their records first
// showed it, which is late by up to the time between two of their reports and
// two looks. Nothing is read where no history is kept, and of hundreds of nodes
// one record in two seconds.
type witness struct {
	chronicle  *Chronicle
	client     Nodes
	datacenter string // as it is noted
	own        string // the node that notes its own times; empty: none
	ids        func() []string
	now        func() time.Time

	pass   int
	due    map[keptKey]*watched
	chosen []*watched          // of these, those of the present look
	kept   map[string][]string // see keptBy; nil: not asked for in this look
	nodes  map[string]witnessed
}

// watched is a response that nodes are about to have.
type watched struct {
	key   keptKey
	since time.Time
	looks int // how often it was looked for
	last  int // the pass that did so last
	// had and lacked tell of the last look whether nodes had it, or an older one.
	had, lacked bool
}

// Witness notes since when a datacenter's nodes have what is kept, until ctx ends.
func (c *Chronicle) Witness(ctx context.Context, d Datacenter) {
	w := &witness{
		chronicle: c, client: d.Nodes, datacenter: d.Name, own: d.Own, now: time.Now,
		ids: d.IDs, due: map[keptKey]*watched{}, nodes: map[string]witnessed{},
	}
	news := c.watch()
	defer c.unwatch(news)
	for ctx.Err() == nil {
		replaced := d.Replaced()
		if !c.config.On() {
			select {
			case <-replaced:
			case <-ctx.Done():
			}
			continue
		}
		c.catchUp(w.ids())
		w.fill()
		w.watch(ctx, news, replaced)
	}
}

// watch looks at the nodes until there are other settings.
func (w *witness) watch(ctx context.Context, news *keptWatch, replaced <-chan struct{}) {
	for {
		for _, key := range w.chronicle.takeWatched(news) {
			w.add(key)
		}
		w.look(ctx)
		soon := w.waits()
		pause := witnessIdle
		if soon {
			pause = witnessPause
		}
		timer := time.NewTimer(pause)
		for waiting := true; waiting; {
			select {
			case <-news.wake:
				if !soon {
					soon = true
					timer.Reset(witnessPause)
				}
			case <-timer.C:
				waiting = false
			case <-replaced:
				timer.Stop()
				return
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	}
}

// waits tells whether there is a response that nodes should have soon.
func (w *witness) waits() bool {
	for _, d := range w.due {
		if w.now().Sub(d.since) < witnessYoung {
			return true
		}
	}
	return false
}

// fill begins with the newest of what is kept.
func (w *witness) fill() {
	for _, id := range w.ids() {
		if this, sum, ok := w.chronicle.config.Store.NewestKept(id); ok {
			w.add(keptKey{id, sum, this.Unix()})
		}
	}
}

func (w *witness) add(key keptKey) {
	if w.due[key] == nil {
		w.due[key] = &watched{key: key, since: w.now()}
	}
}

// look reads the nodes' records once.
func (w *witness) look(ctx context.Context) {
	names, err := w.client.NodeNames(ctx)
	if err != nil || len(names) == 0 {
		return // an outage is told by others
	}
	w.pass++
	w.kept = nil
	byPrefix := w.choose(max(100, witnessNotes/len(names)))
	notes := map[keptKey][]record.Stapled{}
	for _, name := range names {
		if len(names) > witnessFew {
			sleep(ctx, witnessSpacing)
		}
		if name == w.own {
			continue // it notes its own times
		}
		n, found, err := w.client.Node(ctx, name)
		if ctx.Err() != nil {
			return
		}
		if err == nil && found {
			w.hear(n, byPrefix, notes)
		}
	}
	for key, places := range notes {
		w.chronicle.note(key, places)
	}
	w.settle(names)
}

// choose is what is looked for now, by the first digits of the id: so many that
// the notes of all nodes are bounded, those first that were looked for least.
func (w *witness) choose(most int) map[string][]*watched {
	all := make([]*watched, 0, len(w.due))
	for _, d := range w.due {
		all = append(all, d)
	}
	if len(all) > most {
		slices.SortFunc(all, func(a, b *watched) int { return a.looks - b.looks })
		all = all[:most]
	}
	w.chosen = all
	byPrefix := make(map[string][]*watched, len(all))
	for _, d := range all {
		d.had, d.lacked = false, false
		byPrefix[d.key.id[:record.IDPrefix]] = append(byPrefix[d.key.id[:record.IDPrefix]], d)
	}
	return byPrefix
}

// settle forgets the responses that every node has that holds the certificate,
// those of certificates that no node holds, those that a newer one has followed,
// which a node that is so far behind is given next, and nodes that are gone.
func (w *witness) settle(names []string) {
	newest := map[string]int64{}
	for key := range w.due {
		newest[key.id] = max(newest[key.id], key.thisUpdate)
	}
	for _, d := range w.chosen {
		d.looks++
		d.last = w.pass
		old := w.now().Sub(d.since) > witnessGone
		if d.had && !d.lacked || old && (!d.had || d.key.thisUpdate < newest[d.key.id]) {
			delete(w.due, d.key)
		}
	}
	w.chosen = nil
	for name := range w.nodes {
		if !slices.Contains(names, name) {
			delete(w.nodes, name)
		}
	}
}
