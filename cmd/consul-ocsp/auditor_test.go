package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// auditor looks at Consul from the side, and believes no agent: it follows the
// lock, head, the log and the metas, each look being of one moment, and writes
// down what must never be.
type auditor struct {
	rarely atomic.Bool // looks are few, where Consul counts requests

	mu     sync.Mutex
	faults []string

	locks       []lock // each state of the lock that was seen, in order
	generations map[uint64]generation
	nonces      map[string]uint64
	last        uint64                 // the newest generation
	metas       map[string]record.Meta // the newest of each certificate
}

// lock is a state of v1/leader, since a ModifyIndex.
type lock struct {
	session      string
	count, since uint64
}

// generation is a publication, at the ModifyIndex of its transaction.
type generation struct {
	record.Head
	index uint64
}

// look is what was in Consul at one moment.
type look struct {
	lock  lock
	head  generation
	slots []generation
	metas map[string]metaAt
}

type metaAt struct {
	record.Meta
	index, der uint64 // ModifyIndexes of meta and response
}

func newAuditor() *auditor {
	return &auditor{generations: map[uint64]generation{}, nonces: map[string]uint64{}, metas: map[string]record.Meta{}}
}

func (a *auditor) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// take takes in one look.
func (a *auditor) take(l look) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.locks); n == 0 || a.locks[n-1] != l.lock {
		a.locks = append(a.locks, l.lock)
	}
	slices.SortFunc(l.slots, func(x, y generation) int { return cmp.Compare(x.Generation, y.Generation) })
	for _, g := range l.slots {
		a.generation(g)
	}
	if n := len(l.slots); n > 0 && l.slots[n-1].Nonce != l.head.Nonce {
		a.fault("head is generation %d, the newest of the log %d", l.head.Generation, l.slots[n-1].Generation)
	}
	for id, m := range l.metas {
		a.response(id, m, l.slots)
	}
}

// generation checks one that is in the log: it came once, after the one before,
// from somebody who held the lock.
func (a *auditor) generation(g generation) {
	if old, known := a.generations[g.Generation]; known {
		if old.Nonce != g.Nonce || old.index != g.index {
			a.fault("generation %d was %s, and is %s", g.Generation, old.Nonce, g.Nonce)
		}
		return
	}
	if g.Generation < a.last {
		a.fault("generation %d came after %d", g.Generation, a.last)
	}
	if other, used := a.nonces[g.Nonce]; used {
		a.fault("generations %d and %d are the same publication: committed twice", other, g.Generation)
	}
	if a.last > 0 {
		switch before := a.generations[g.Generation-1]; {
		case g.Generation != a.last+1:
			a.fault("generation %d follows %d: those between are lost", g.Generation, a.last)
		case g.Before != before.Nonce:
			a.fault("generation %d does not follow on %s but on %s", g.Generation, before.Nonce, g.Before)
		case g.index <= before.index:
			a.fault("generation %d is older than %d", g.Generation, before.Generation)
		}
	}
	if why := a.unfenced(g.index); why != "" {
		a.fault("generation %d is unfenced: %s", g.Generation, why)
	}
	a.generations[g.Generation], a.nonces[g.Nonce], a.last = g, g.Generation, g.Generation
}

// unfenced says why nobody can have held the lock at an index; "" if somebody
// did, or may have between two looks.
func (a *auditor) unfenced(index uint64) string {
	for i := len(a.locks) - 1; i >= 0; i-- {
		now := a.locks[i]
		if now.since >= index {
			continue
		}
		if now.session != "" {
			return "" // held then, and released later if at all
		}
		// Free: for good, or until the next state that was seen, unless the lock
		// was taken and given back unseen.
		if i+1 < len(a.locks) && a.locks[i+1].count > now.count+1 {
			return ""
		}
		return fmt.Sprintf("at index %d nobody has held the lock since %d", index, now.since)
	}
	if len(a.locks) > 1 || a.locks[0].count == 0 {
		return fmt.Sprintf("at index %d nobody had ever taken the lock", index)
	}
	return "" // before the first look
}

// response checks what is published of a certificate: it was written by the
// newest generation that names it, and is no older than what was there.
func (a *auditor) response(id string, m metaAt, slots []generation) {
	if old, known := a.metas[id]; known && old.SHA256 != m.SHA256 && !m.Supersedes(old) {
		a.fault("%s: the response of %s replaced that of %s", id, m.ThisUpdate, old.ThisUpdate)
	}
	a.metas[id] = m.Meta
	for _, g := range slices.Backward(slots) {
		if !slices.Contains(g.IDs, id) {
			continue
		}
		if m.index != g.index || m.der != g.index {
			a.fault("%s: generation %d, of index %d, names it; response and meta are of %d and %d", id, g.Generation, g.index, m.der, m.index)
		}
		return
	}
}

// audit runs an auditor beside the test, which asks these one after the other;
// the function that it returns ends it and fails the test for what it found.
func audit(t *testing.T, ids []string, clients ...*api.Client) (a *auditor, settle func()) {
	t.Helper()
	a = newAuditor()
	ctx, cancel := context.WithCancel(context.Background())
	var auditing sync.WaitGroup
	auditing.Go(func() { // ends with settle
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if a.rarely.Load() && i%10 != 0 {
				continue
			}
			if l, err := lookAt(ctx, clients[i%len(clients)], ids); err == nil {
				a.take(l)
			}
		}
	})
	end := sync.OnceFunc(func() { cancel(); auditing.Wait() })
	t.Cleanup(end)
	return a, func() {
		t.Helper()
		end()
		l, err := lookAt(t.Context(), clients[0], ids)
		if err != nil {
			t.Fatal(err)
		}
		a.take(l)
		for _, f := range a.faults {
			t.Error("auditor: ", f)
		}
		t.Logf("auditor: %d generations, %d states of the lock", len(a.generations), len(a.locks))
	}
}

// lookAt reads all in one transaction: it shows one moment.
func lookAt(ctx context.Context, client *api.Client, ids []string) (look, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	const root = "consul-ocsp/v1/"
	var ops api.KVTxnOps
	get := func(key string) { ops = append(ops, &api.KVTxnOp{Verb: api.KVGetOrEmpty, Key: root + key}) }
	get("leader")
	get("head")
	for i := range uint64(record.Slots) {
		get("log/" + record.Slot(i))
	}
	for _, id := range ids {
		get("der/" + id)
		get("meta/" + id)
	}
	ok, answer, _, err := client.KV().Txn(ops, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil || !ok {
		return look{}, fmt.Errorf("a look at Consul: %v", err)
	}
	pairs := map[string]*api.KVPair{}
	for _, pair := range answer.Results {
		pairs[pair.Key[len(root):]] = pair
	}
	leader := pairs["leader"]
	l := look{lock: lock{leader.Session, leader.LockIndex, leader.ModifyIndex}, metas: map[string]metaAt{}}
	for key, pair := range pairs {
		h, err := record.ParseHead(pair.Value)
		switch {
		case err != nil || pair.ModifyIndex == 0:
		case key == "head":
			l.head = generation{h, pair.ModifyIndex}
		case key == "log/"+record.Slot(h.Generation):
			l.slots = append(l.slots, generation{h, pair.ModifyIndex})
		}
	}
	for _, id := range ids {
		if m, err := record.DecodeMeta(pairs["meta/"+id].Value); err == nil {
			l.metas[id] = metaAt{m, pairs["meta/"+id].ModifyIndex, pairs["der/"+id].ModifyIndex}
		}
	}
	return l, nil
}

// newest is the newest generation that was seen.
func (a *auditor) newest() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// progress waits until so many more generations are published.
func (a *auditor) progress(t *testing.T, more uint64) {
	t.Helper()
	from := a.newest()
	eventually(t, fmt.Sprintf("%d publications", more), func() error {
		if now := a.newest(); now < from+more {
			return fmt.Errorf("%d so far", now-from)
		}
		return nil
	})
}

// An auditor that finds nothing is worth what it would find.
func TestAuditor(t *testing.T) {
	t.Parallel()
	id := record.Checksum([]byte("a certificate"))
	head := func(n uint64, before, nonce string) record.Head {
		return record.Head{Generation: n, Nonce: nonce, Before: before, IDs: []string{id}}
	}
	at := func(minute int, index uint64) map[string]metaAt {
		this := time.Date(2026, 11, 21, 9, minute, 0, 0, time.UTC)
		return map[string]metaAt{id: {record.Meta{Status: "good", SHA256: this.String(), ThisUpdate: this}, index, index}}
	}
	held, free, next := lock{"one", 1, 5}, lock{"", 1, 30}, lock{"two", 2, 40}
	one, two := generation{head(1, "-", "a"), 10}, generation{head(2, "a", "b"), 20}
	first := look{held, one, []generation{one}, at(1, 10)}
	second := look{held, two, []generation{one, two}, at(2, 20)}
	show := func(l lock, g generation, metas map[string]metaAt) look {
		return look{l, g, []generation{one, two, g}, metas}
	}
	for name, test := range map[string]struct {
		then   []look
		faults int
	}{
		"all is well":        {[]look{show(next, generation{head(3, "b", "c"), 50}, at(3, 50))}, 0},
		"before the release": {[]look{show(free, generation{head(3, "b", "c"), 25}, at(3, 25))}, 0},
		"while nobody leads": {[]look{show(free, generation{head(3, "b", "c"), 35}, at(3, 35))}, 1},
		"before the next":    {[]look{{lock: free, head: two, slots: []generation{two}}, show(next, generation{head(3, "b", "c"), 35}, at(3, 35))}, 1},
		"a gap":              {[]look{show(held, generation{head(4, "x", "c"), 25}, at(3, 25))}, 1},
		"another branch":     {[]look{show(held, generation{head(3, "x", "c"), 25}, at(3, 25))}, 1},
		"twice":              {[]look{show(held, generation{head(3, "b", "c"), 25}, at(2, 20))}, 1},
		"twice by its nonce": {[]look{show(held, generation{head(3, "b", "b"), 25}, at(3, 25))}, 1},
		"an older response":  {[]look{show(held, generation{head(3, "b", "c"), 25}, at(1, 25))}, 1},
		"beside a generation": {[]look{{held, two, []generation{one, two}, map[string]metaAt{
			id: {at(3, 0)[id].Meta, 27, 27}}}}, 1},
		"history rewritten": {[]look{{held, two, []generation{{head(1, "-", "z"), 22}, two}, at(2, 20)}}, 1},
		"head of its own":   {[]look{{held, generation{head(3, "b", "c"), 25}, []generation{one, two}, at(2, 20)}}, 1},
	} {
		a := newAuditor()
		a.take(first)
		a.take(second)
		if len(a.faults) > 0 {
			t.Fatalf("%s: %v", name, a.faults)
		}
		for _, l := range test.then {
			a.take(l)
		}
		if len(a.faults) != test.faults {
			t.Errorf("%s: %d faults, not %d: %v", name, len(a.faults), test.faults, a.faults)
		}
	}
	if a := newAuditor(); true {
		a.take(look{lock: lock{}, head: one, slots: []generation{one}, metas: maps.Clone(at(1, 10))})
		if len(a.faults) != 1 {
			t.Errorf("a publication without any lock: %v", a.faults)
		}
	}
}
