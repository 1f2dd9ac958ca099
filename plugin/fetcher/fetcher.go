package fetcher

import (
	"cmp"
	"container/heap"
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Fetcher keeps responses for a set of targets. Its methods may be called
// concurrently; Run and Pass wait for each other.
type Fetcher struct {
	c   Config
	ask func(context.Context, responder.Request) (*responder.Answer, error)
	// verify judges a response.
	verify func(der []byte, t Target, now time.Time) (*staple.Facts, error)
	out    *outbox
	// hosts is what was learned of responder hosts.
	hosts *hosts
	// limits are those of the current targets, by responder host.
	limits atomic.Pointer[map[string]limit]
	// running is held by the Run or Pass that is under way.
	running sync.Mutex
	// wake tells Run that something is due that was not.
	wake chan struct{}

	mu     sync.Mutex
	items  map[string]*item
	due    dueQueue
	round  uint32 // of Set
	counts Counts
	// looked is when Run looked for what is due.
	looked time.Time
	// publishError is the latest of the Publisher.
	publishError error
	// deliveries are forced responses that wait for the Publisher, by id.
	deliveries map[string][]*delivery
	// complaints, remarks and clocks are what was logged of responder hosts.
	complaints map[string]*complaint
	disk       *complaint   // about data_dir; nil: none yet
	fine       ration.Lines // of what went well
	remarks    map[string][]string
	clocks     map[string]Clock
}

// New makes a Fetcher without targets.
func New(c Config) *Fetcher {
	c = c.withDefaults()
	f := &Fetcher{
		c:      c,
		verify: verify,
		out:    newOutbox(),
		hosts:  newHosts(),
		wake:   make(chan struct{}, 1),
		items:  make(map[string]*item),
		counts: newCounts(),

		deliveries: make(map[string][]*delivery),
		complaints: make(map[string]*complaint), remarks: make(map[string][]string), clocks: make(map[string]Clock),
	}
	if c.Client != nil {
		f.ask = c.Client.Exchange
	}
	f.limits.Store(new(map[string]limit))
	return f
}

// Set makes these the targets, in place of those before. New ones, and those
// whose settings changed, have their turn at once; a turn begins with what the
// store holds, so that nothing fresh is fetched. Of several targets with one id
// the first that is not announced counts.
func (f *Fetcher) Set(targets []Target) {
	f.SetEach(func(yield func(Target) bool) {
		for _, announced := range []bool{false, true} {
			for _, t := range targets {
				if t.Announced == announced && !yield(t) {
					return
				}
			}
		}
	})
}

// SetEach is Set for targets that are made one by one, those that are not
// announced before the others. targets must not call the fetcher.
func (f *Fetcher) SetEach(targets iter.Seq[Target]) {
	f.mu.Lock()
	f.round++
	var settings interned
	for t := range targets {
		if t.Leaf == nil && t.announcement == nil {
			continue
		}
		t.Settings = t.Settings.withDefaults()
		if it := f.items[t.ID]; it != nil && it.round == f.round {
			it.alias(t)
			continue
		}
		f.put(t, settings.one(t.Settings))
	}
	limits := newLimits()
	for _, it := range f.items {
		if it.round != f.round {
			f.drop(it)
			continue
		}
		limits.add(it.target())
	}
	f.forgetComplaints(limits)
	f.forgetRemarks(limits)
	f.mu.Unlock()
	f.limits.Store((*map[string]limit)(&limits))
	f.hosts.keep(limits)
	f.wakeUp()
}

func (f *Fetcher) drop(it *item) {
	it.gone = true
	delete(f.items, it.id)
	f.unqueue(it)
	if it.told() {
		f.out.trouble(it.id, nil)
	}
	f.content(it, f.c.Now())
	if !it.busy {
		it.dismiss()
	}
}

// dismiss answers those who wait for the next turn of a certificate that is
// wanted no more.
func (it *item) dismiss() {
	for _, tell := range it.forced {
		tell(Result{Target: it.target(), Outcome: NotApplicable})
	}
	it.forced = nil
}

func (f *Fetcher) put(t Target, settings *Settings) {
	it, known := f.items[t.ID]
	if !known {
		it = &item{index: -1, id: t.ID}
		f.items[t.ID] = it
	}
	it.round = f.round
	changed := !known
	if known {
		old := it.target()
		same := sameQuestion(old, t)
		changed = !same || old.Settings.MaxDelay != t.Settings.MaxDelay || old.Settings.MinDelay != t.Settings.MinDelay
		if !same {
			f.hosts.forget(t.urls()) // what failed may work with these settings
		}
		if t.pair == nil {
			t.pair = old.pair
		}
	}
	if t.announcement == nil {
		t.pair = t.pair.On(t.Leaf, t.Issuer)
	}
	it.aim(t, settings)
	if !changed {
		return
	}
	it.read, it.mentioned = false, false
	if it.busy {
		it.again = true
		return
	}
	f.queue(it, f.c.Now())
}

// queue gives an item its next turn at a time.
func (f *Fetcher) queue(it *item, at time.Time) {
	it.next = at
	if it.index >= 0 {
		heap.Fix(&f.due, it.index)
		return
	}
	heap.Push(&f.due, it)
}

// unqueue leaves an item without a next turn.
func (f *Fetcher) unqueue(it *item) {
	it.next = time.Time{}
	if it.index >= 0 {
		heap.Remove(&f.due, it.index)
	}
}

func (f *Fetcher) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default: // awake already
	}
}

// limitOf is what may be done with a host now: what is configured, and what it
// has shown to bear.
func (f *Fetcher) limitOf(host string) limit {
	l, ok := (*f.limits.Load())[host]
	switch {
	case !ok:
		return limit{concurrency: 1, rate: 1}
	case host != stored:
		l.concurrency = f.hosts.concurrency(host, l.concurrency)
		l.proven = f.hosts.proven(host)
	}
	return l
}

// States are what is known of the targets, in the order of job, name and id.
func (f *Fetcher) States() []State {
	f.mu.Lock()
	states := make([]State, 0, len(f.items))
	for _, it := range f.items {
		states = append(states, it.state())
	}
	f.mu.Unlock()
	slices.SortFunc(states, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return states
}

// Each shows visit what is known of each target, in no order, without a copy of
// all. visit must not call the fetcher.
func (f *Fetcher) Each(visit func(State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, it := range f.items {
		visit(it.state())
	}
}

func (it *item) state() State {
	t := it.target()
	s := State{
		ID: t.ID, Job: t.Job, Name: t.Name, Names: t.hostNames(), MustStaple: t.MustStaple, Announced: t.Announced,
		Outcome: it.outcome, Reason: it.reason, Failures: it.failures(), Asked: it.asked, Next: it.next, Busy: it.busy,
	}
	if it.failing != nil {
		s.Since = it.failing.since
		if it.failing.err != nil {
			s.Error = it.failing.err.Error()
		}
	}
	if h := it.held; h != nil {
		s.Status, s.ThisUpdate, s.NextUpdate, s.Until = h.status, timeOf(h.this), timeOf(h.next), timeOf(h.until)
		s.RevokedAt, s.RevocationReason = timeOf(h.revoked), h.revocationReason
	}
	return s
}

// Len is how many targets there are.
func (f *Fetcher) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.items)
}

// Held is how many of the held responses have this status.
func (f *Fetcher) Held(status staple.Status, but func(id string) bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, it := range f.items {
		if it.held != nil && it.held.status == string(status) && (but == nil || !but(it.id)) {
			n++
		}
	}
	return n
}

// Counts are the totals since the fetcher was made.
func (f *Fetcher) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.clone()
}

// dueQueue is a heap of the items that are not busy, the next turn on top, and
// of those at one time the one for which what is held ends first.
type dueQueue []*item

func (q dueQueue) Len() int { return len(q) }
func (q dueQueue) Less(i, j int) bool {
	if q[i].next.Equal(q[j].next) { // as when a host is back for all
		return q[i].end().Before(q[j].end())
	}
	return q[i].next.Before(q[j].next)
}
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *dueQueue) Push(x any) {
	it := x.(*item)
	it.index = len(*q)
	*q = append(*q, it)
}

func (q *dueQueue) Pop() any {
	old := *q
	it := old[len(old)-1]
	old[len(old)-1] = nil
	it.index = -1
	*q = old[:len(old)-1]
	return it
}
