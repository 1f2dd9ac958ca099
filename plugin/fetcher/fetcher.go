package fetcher

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
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
	counts Counts
	// looked is when Run looked for what is due.
	looked time.Time
	// publishError is the latest of the Publisher.
	publishError error
	// deliveries are forced responses that wait for the Publisher, by id.
	deliveries map[string][]*delivery
	// complaints, remarks and clocks are what was logged of responder hosts.
	complaints map[string]*complaint
	remarks    map[string][]string
	clocks     map[string]Clock
}

// item is a target with what is known of it. Its fields change under the
// fetcher's mu; while busy is set, only the one whose turn it is changes those
// about the response.
type item struct {
	target Target
	// also are further targets of the same certificate, under other names.
	also []Target

	// read says that the store was read since the target or its settings came.
	read bool
	// replace says that what the store holds is not the CA's word.
	replace bool
	// held is the newest verified response, nil if there is none.
	held *record.Staple

	outcome, reason string
	err             error
	failures        int
	since           time.Time
	told            time.Time // of the last trouble that was reported; zero: none is
	mentioned       bool      // that nothing is fetched for it
	// complaint is the one that counts this item while it fails; said are the
	// reasons that were logged of it, hinted that it fails as new ones do.
	complaint *complaint
	said      []string
	hinted    bool
	asked     time.Time

	// versions are what responders call what they gave last, by URL; bypass is
	// the last try to get past their caches.
	versions map[string]version
	bypass   bypass

	// waits is the host that the next turn waits for; "": none.
	waits string

	busy  bool
	gone  bool // no target any more
	again bool // a change came while busy
	// forced are those who wait for the next turn, which asks in any case.
	forced []func(Result)
	next   time.Time // zero: never
	index  int       // in the queue; -1: not there
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
	wanted, order := byID(targets)
	f.mu.Lock()
	for id, it := range f.items {
		if wanted[id] == nil {
			f.drop(it)
		}
	}
	all := make([]Target, 0, len(order))
	for _, id := range order {
		w := wanted[id]
		all = append(all, w[0])
		f.put(w[0], w[1:])
	}
	limits := limitsOf(all)
	f.forgetComplaints(limits)
	f.forgetRemarks(limits)
	f.mu.Unlock()
	f.limits.Store(&limits)
	f.hosts.keep(limits)
	f.wakeUp()
}

// byID groups targets by certificate, the one that counts first.
func byID(targets []Target) (map[string][]Target, []string) {
	groups := make(map[string][]Target, len(targets))
	var order []string
	for _, t := range targets {
		if t.Leaf == nil {
			continue
		}
		t.Settings = t.Settings.withDefaults()
		if groups[t.ID] == nil {
			order = append(order, t.ID)
		}
		groups[t.ID] = append(groups[t.ID], t)
	}
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b Target) int { return cmp.Compare(order01(a.Announced), order01(b.Announced)) })
	}
	return groups, order
}

func order01(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (f *Fetcher) drop(it *item) {
	it.gone = true
	delete(f.items, it.target.ID)
	f.content(it, f.c.Now())
	f.unqueue(it)
	if !it.told.IsZero() {
		f.out.trouble(it.target.ID, nil)
	}
	if !it.busy {
		it.dismiss()
	}
}

// dismiss answers those who wait for the next turn of a certificate that is
// wanted no more.
func (it *item) dismiss() {
	for _, tell := range it.forced {
		tell(Result{Target: it.target, Outcome: NotApplicable})
	}
	it.forced = nil
}

func (f *Fetcher) put(t Target, also []Target) {
	it, known := f.items[t.ID]
	if !known {
		it = &item{index: -1}
		f.items[t.ID] = it
	}
	changed := !known || !sameQuestion(it.target, t) || it.target.Settings.MaxDelay != t.Settings.MaxDelay || it.target.Settings.MinDelay != t.Settings.MinDelay
	if known && !sameQuestion(it.target, t) {
		f.hosts.forget(t.urls()) // what failed may work with these settings
	}
	if t.Pair == nil {
		t.Pair = it.target.Pair
	}
	t.Pair = t.Pair.On(t.Leaf, t.Issuer)
	it.target, it.also = t, also
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
	s := State{
		ID: it.target.ID, Job: it.target.Job, Name: it.target.Name, Names: it.target.Names,
		MustStaple: it.target.MustStaple, Announced: it.target.Announced,
		Outcome: it.outcome, Reason: it.reason, Failures: it.failures, Since: it.since,
		Asked: it.asked, Next: it.next, Busy: it.busy,
	}
	if it.err != nil {
		s.Error = it.err.Error()
	}
	if it.held != nil {
		m := it.held.Meta
		s.Status, s.ThisUpdate, s.NextUpdate, s.Until = m.Status, m.ThisUpdate, m.NextUpdate, m.Until
		s.RevokedAt, s.RevocationReason = m.RevokedAt, m.RevocationReason
	}
	return s
}

// Counts are the totals since the fetcher was made.
func (f *Fetcher) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.clone()
}

// end is when what is held ends, zero if nothing is held.
func (it *item) end() time.Time {
	if it.held == nil {
		return time.Time{}
	}
	return it.held.Meta.Until
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
