package chronicle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// fakeNodes are records that no node of ours would write, or too many.
type fakeNodes struct {
	records map[string]record.Node
	read    int
}

func (f *fakeNodes) NodeNames(context.Context) ([]string, error) {
	var names []string
	for name := range f.records {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Node is the record as it comes from Consul: packed where it is long.
func (f *fakeNodes) Node(_ context.Context, name string) (record.Node, bool, error) {
	f.read++
	n := f.records[name]
	n.Node = name
	b, err := n.Encode()
	if err != nil {
		return n, false, err
	}
	n, err = record.DecodeNode(name, b)
	return n, err == nil, err
}

var witnessNoon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func wantedID(i int) string { return fmt.Sprintf("%064x", i+1)[52:] + strings.Repeat("a", 52) }

// newWitness makes one of count certificates that are kept.
func newWitness(t *testing.T, count int) (*witness, *fakeNodes, *time.Time) {
	t.Helper()
	data, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now := witnessNoon
	c := New(Config{
		Store: data, Logger: hclog.NewNullLogger(), Changed: func() {},
		Certificates: func(context.Context, []string) map[string]record.Certificate { return nil },
	})
	data.SetHistory(store.History{Keep: func(string) int { return 100 }, Kept: c.Kept})
	var ids []string
	for i := range count {
		ids = append(ids, wantedID(i))
	}
	nodes := &fakeNodes{records: map[string]record.Node{}}
	w := &witness{
		chronicle: c, client: nodes, now: func() time.Time { return now }, own: "leader",
		ids: func() []string { return ids }, due: map[keptKey]*watched{}, nodes: map[string]witnessed{},
	}
	return w, nodes, &now
}

// publish keeps a response to certificate i of this time.
func (w *witness) publish(t *testing.T, i int, this time.Time) {
	t.Helper()
	der := []byte(this.String())
	st := record.Staple{ID: wantedID(i), DER: der, Meta: record.Meta{SHA256: record.Checksum(der), Status: "good", ThisUpdate: this}}
	news := w.chronicle.watch()
	defer w.chronicle.unwatch(news)
	if _, err := w.chronicle.config.Store.Put(st); err != nil {
		t.Fatal(err)
	}
	for _, key := range w.chronicle.takeWatched(news) {
		w.add(key)
	}
}

// noted is what is noted of the newest response of certificate i.
func (w *witness) noted(t *testing.T, i int) string {
	t.Helper()
	w.chronicle.Flush(t.Context())
	h, err := w.chronicle.config.Store.Kept(wantedID(i), 1)
	if err != nil || len(h.Responses) != 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	var list []string
	for _, s := range h.Responses[0].Notes.Sorted() {
		text := fmt.Sprintf("%s %s %v", s.Node, s.How, s.At.Sub(witnessNoon))
		if !s.After.IsZero() {
			text += fmt.Sprintf(" after %v", s.After.Sub(witnessNoon))
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// says makes a node's record say which response it has of certificate 0.
func (f *fakeNodes) says(name string, seen, this time.Time, lately ...record.Lately) {
	f.records[name] = record.Node{Seen: seen, Applied: []record.Applied{{ID: wantedID(0), ThisUpdate: this}}, Lately: lately}
}

func TestWitness(t *testing.T) {
	w, nodes, now := newWitness(t, 1)
	first, second := witnessNoon, witnessNoon.Add(time.Hour)
	at := func(d time.Duration) time.Time { return witnessNoon.Add(d) }
	w.publish(t, 0, first)
	tells := record.Lately{ID: wantedID(0), ThisUpdate: first, At: at(2 * time.Second)}
	nodes.says("leader", at(0), first)
	nodes.says("tells", at(3*time.Second), first, tells)
	nodes.says("shows", at(4*time.Second), first.Add(-time.Hour))
	nodes.says("ahead", at(24*time.Hour), first, record.Lately{ID: wantedID(0), ThisUpdate: first, At: at(24 * time.Hour)})
	nodes.says("silent", at(-48*time.Hour), first.Add(-time.Hour))
	*now = at(5 * time.Second)
	w.look(t.Context())
	if got, want := w.noted(t, 0), "tells told 2s, ahead seen 5s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	if len(w.due) != 1 || !w.waits() {
		t.Errorf("a node that lacks it is not waited for: %+v", w.due)
	}
	*now = at(2 * time.Minute)
	nodes.says("shows", at(100*time.Second), first)
	nodes.says("ahead", at(100*time.Second), first)
	w.look(t.Context())
	if got, want := w.noted(t, 0), "tells told 2s, ahead seen 5s, shows seen 1m40s after 4s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	if len(w.due) != 0 {
		t.Errorf("what all have, or a silent node lacks, is waited for: %+v", w.due)
	}
	// Two in a row: of the first there is what nodes tell.
	*now = second.Add(time.Minute)
	w.publish(t, 0, second.Add(-time.Second))
	w.publish(t, 0, second)
	nodes.says("tells", *now, second, tells, record.Lately{ID: wantedID(0), ThisUpdate: second.Add(-time.Second), At: second},
		record.Lately{ID: wantedID(0), ThisUpdate: second, At: second.Add(time.Second)})
	w.look(t.Context())
	if got, want := w.noted(t, 0), "tells told 1h0m1s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	// A node that comes back tells when nobody waits any more.
	w.due = map[keptKey]*watched{}
	nodes.says("silent", *now, second)
	w.look(t.Context())
	*now = now.Add(time.Hour)
	nodes.says("silent", *now, second, record.Lately{ID: wantedID(0), ThisUpdate: second, At: now.Add(-time.Minute)})
	w.look(t.Context())
	if got, want := w.noted(t, 0), "tells told 1h0m1s, silent told 2h0m0s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
}

// A node that gets nothing new for months, or a record that is left of one and looks
// alive, does not have every response looked for ever after.
func TestWitnessOfANodeThatIsStuck(t *testing.T) {
	w, nodes, now := newWitness(t, 1)
	for i := range 50 {
		this := witnessNoon.Add(time.Duration(i) * 12 * time.Hour)
		*now = this.Add(time.Minute)
		w.publish(t, 0, this)
		nodes.says("fine", *now, this)
		nodes.says("stuck", *now, witnessNoon.Add(-time.Hour))
		w.look(t.Context())
	}
	if len(w.due) > 2 {
		t.Errorf("%d responses are waited for", len(w.due))
	}
}

// What a node claims beyond all bounds costs no more than the bounds, and names
// nothing that is not kept.
func TestWitnessOfHostileNodes(t *testing.T) {
	w, nodes, now := newWitness(t, 3)
	w.publish(t, 1, witnessNoon)
	evil := record.Node{Seen: witnessNoon}
	for i := range record.MaxApplied {
		evil.Applied = append(evil.Applied, record.Applied{ID: wantedID(i % 5), ThisUpdate: witnessNoon.Add(-time.Duration(i) * time.Second)})
		evil.Lately = append(evil.Lately, record.Lately{ID: wantedID(2), ThisUpdate: witnessNoon, At: witnessNoon.Add(time.Duration(i) * time.Second)})
	}
	nodes.records["evil"] = evil
	*now = witnessNoon.Add(24 * time.Hour)
	listed, ids := 0, w.ids
	w.ids = func() []string { listed++; return ids() }
	for range 3 {
		w.look(t.Context())
		for i := range evil.Lately { // news in each look
			evil.Lately[i].At = evil.Lately[i].At.Add(time.Minute)
		}
	}
	if listed > 3 {
		t.Errorf("what is kept was listed %d times", listed)
	}
	h, err := w.chronicle.config.Store.Kept(wantedID(2), 0)
	if err != nil || h.All != 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if got := w.noted(t, 1); strings.Count(got, "evil") > 1 {
		t.Errorf("noted %q", got)
	}
}

// That a response was let through on a node is no evidence while its server does
// not take it.
func TestWitnessOfANodeInTrouble(t *testing.T) {
	w, nodes, now := newWitness(t, 1)
	w.publish(t, 0, witnessNoon)
	trouble := record.NodeTrouble{ID: wantedID(0), Target: "haproxy", Reason: "socket"}
	other := record.NodeTrouble{ID: wantedID(7), Target: "haproxy", Reason: "declined"}
	for name, list := range map[string][]record.NodeTrouble{"here": {trouble}, "elsewhere": {other}, "many": slices.Repeat([]record.NodeTrouble{other}, 30)} {
		nodes.says(name, witnessNoon, witnessNoon)
		n := nodes.records[name]
		n.Trouble, n.Troubles = list, len(list)
		nodes.records[name] = n
	}
	w.look(t.Context())
	if got, want := w.noted(t, 0), "elsewhere seen 0s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	*now = now.Add(time.Minute)
	for _, name := range []string{"here", "many"} {
		nodes.says(name, *now, witnessNoon)
	}
	w.look(t.Context())
	if got, want := w.noted(t, 0), "elsewhere seen 0s, here seen 1m0s after 0s, many seen 1m0s after 0s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	if len(w.due) != 0 {
		t.Errorf("what all have is waited for: %+v", w.due)
	}
}
