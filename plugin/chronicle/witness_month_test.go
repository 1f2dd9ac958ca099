package chronicle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// monthly are the records of nodes over a month, by the bubble's clock.
type monthly struct {
	mu      sync.Mutex
	records fakeNodes
	this    time.Time                  // of the newest response
	late    map[string]time.Duration   // how long after that each node has it
	tells   map[string][]record.Lately // what the nodes tell themselves
}

func (m *monthly) NodeNames(ctx context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records.NodeNames(ctx)
}

func (m *monthly) Node(ctx context.Context, name string) (record.Node, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records.Node(ctx, name)
}

// report is what a node does every two minutes.
func (m *monthly) report(name string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := record.Node{Seen: now, Applied: []record.Applied{{ID: wantedID(0), ThisUpdate: m.this}}}
	if at := m.this.Add(m.late[name]); now.Before(at) {
		n.Applied[0].ThisUpdate = m.this.Add(-24 * time.Hour)
	} else if strings.HasPrefix(name, "tells") && (len(m.tells[name]) == 0 || !m.tells[name][len(m.tells[name])-1].ThisUpdate.Equal(m.this)) {
		m.tells[name] = record.AddLately(m.tells[name], record.Lately{ID: wantedID(0), ThisUpdate: m.this, At: at})
	}
	n.Lately = m.tells[name]
	m.records.records[name] = n
}

// A month with a new response every three days: of each that is kept there is since when
// every node has it, exactly of those that tell, and of the others within what
// reports and looks are apart. One node is minutes late, another comes hours
// later, when nobody looks for it any more.
func TestWitnessForAMonth(t *testing.T) {
	late := map[string]time.Duration{"tells-late": 7 * time.Hour, "shows": 3 * time.Second, "shows-late": 5 * time.Minute}
	synctest.Test(t, func(t *testing.T) {
		w, nodes, _ := newWitness(t, 1)
		w.now = time.Now
		m := &monthly{records: *nodes, late: late, tells: map[string][]record.Lately{}}
		w.client = m
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = w.chronicle.Run(ctx) })
		news := w.chronicle.watch()
		all.Go(func() {
			for ctx.Err() == nil {
				w.watch(ctx, news, nil)
			}
		})
		for name := range late {
			all.Go(func() {
				for ctx.Err() == nil {
					m.report(name, time.Now())
					sleep(ctx, 2*time.Minute)
				}
			})
		}
		const days, responses = 30, 10
		for range responses {
			this := time.Now().Truncate(time.Second)
			m.mu.Lock()
			m.this = this
			m.mu.Unlock()
			keepResponse(t, w, this)
			clocktest.Pass(days / responses * 24 * time.Hour)
		}
		cancel()
		all.Wait()
		if most := (days*24*6 + responses*15*60/5) * len(late); m.records.read > most {
			t.Errorf("%d records were read in a month; want %d at most", m.records.read, most)
		}
		h, err := w.chronicle.config.Store.Kept(wantedID(0), 0)
		if err != nil || h.All != responses {
			t.Fatalf("%d responses, %v", h.All, err)
		}
		for _, r := range h.Responses {
			var wrong []string
			for _, s := range r.Notes.Stapled {
				true := r.ThisUpdate.Add(late[s.Node])
				off := s.At.Sub(true)
				exact := s.How == record.HowTold && off == 0
				bounded := s.How == record.HowSeen && off >= 0 && off <= 2*time.Minute && !s.After.After(true)
				if !exact && !bounded || exact != strings.HasPrefix(s.Node, "tells") {
					wrong = append(wrong, fmt.Sprintf("%s %s %v after %v", s.Node, s.How, s.At.Sub(r.ThisUpdate), s.After.Sub(r.ThisUpdate)))
				}
			}
			if len(wrong) > 0 || len(r.Notes.Stapled) != len(late) {
				t.Errorf("%s: %d places, wrong: %s", r.ThisUpdate.Format(time.DateOnly), len(r.Notes.Stapled), strings.Join(wrong, "; "))
			}
		}
	})
}

// keepResponse stores a response to the first certificate.
func keepResponse(t *testing.T, w *witness, this time.Time) {
	t.Helper()
	der := []byte(this.String())
	st := record.Staple{ID: wantedID(0), DER: der, Meta: record.Meta{SHA256: record.Checksum(der), Status: "good", ThisUpdate: this}}
	if _, err := w.chronicle.config.Store.Put(st); err != nil {
		t.Fatal(err)
	}
}

// packedNodes are the records of many nodes with many certificates.
type packedNodes struct {
	names []string
	text  []byte
}

func (p packedNodes) NodeNames(context.Context) ([]string, error) { return p.names, nil }

func (p packedNodes) Node(_ context.Context, _ string) (record.Node, bool, error) {
	n, err := record.DecodeNode("", p.text)
	return n, err == nil, err
}

// BenchmarkWitness hears one node with 10,000 certificates while as many
// responses are looked for as in a cluster of 300 nodes. The agent that leads does
// so every two seconds at most, and most often has nothing to look for.
func BenchmarkWitness(b *testing.B) {
	const certificates, nodes = 10_000, 300
	n := record.Node{Node: "node", Seen: witnessNoon}
	w := &witness{now: func() time.Time { return witnessNoon }, due: map[keptKey]*watched{}, nodes: map[string]witnessed{}, ids: func() []string { return nil }}
	for i := range certificates {
		n.Applied = append(n.Applied, record.Applied{ID: wantedID(i), ThisUpdate: witnessNoon})
		n.Lately = record.AddLately(n.Lately, record.Lately{ID: wantedID(i), ThisUpdate: witnessNoon, At: witnessNoon})
		w.add(keptKey{id: wantedID(i), thisUpdate: witnessNoon.Unix()})
	}
	text, err := n.Encode()
	if err != nil {
		b.Fatal(err)
	}
	source := packedNodes{names: slices.Repeat([]string{"node"}, nodes), text: text}
	byPrefix := w.choose(witnessNotes / nodes)
	b.ReportAllocs()
	for b.Loop() {
		n, _, err := source.Node(b.Context(), "node")
		if err != nil {
			b.Fatal(err)
		}
		w.hear(n, byPrefix, map[keptKey][]record.Stapled{})
	}
	b.ReportMetric(float64(len(text)), "record-bytes")
}
