package chronicle

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// What can't be noted now is noted later, with the times that it had.
func TestChronicleNotesLater(t *testing.T) {
	w, _, _ := newWitness(t, 1)
	w.publish(t, 0, witnessNoon)
	c := w.chronicle
	if !c.Flush(t.Context()) {
		t.Fatal("the first notes are not written")
	}
	this, sum, _ := c.config.Store.NewestKept(wantedID(0))
	key := keptKey{wantedID(0), sum, this.Unix()}
	h, err := c.config.Store.Kept(wantedID(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	notes := h.Responses[0].File[:len(h.Responses[0].File)-len(".der")] + ".json"
	// A folder in the notes' place, as no file can replace one.
	if err := os.Remove(notes); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(notes, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.note(key, []record.Stapled{{Node: "a", At: witnessNoon.Add(time.Second), How: record.HowTold}})
	if c.Flush(t.Context()) {
		t.Fatal("notes were written where a folder is")
	}
	c.note(key, []record.Stapled{{Node: "b", At: witnessNoon.Add(2 * time.Second), How: record.HowTold}})
	if err := os.RemoveAll(notes); err != nil {
		t.Fatal(err)
	}
	if !c.Flush(t.Context()) {
		t.Fatal("notes are not written")
	}
	if got, want := w.noted(t, 0), "a told 1s, b told 2s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
}

// Whoever can write to Consul can name another issuer there for a certificate: that
// is not kept, and the right one is when it comes.
func TestChronicleKeepsTheRightIssuer(t *testing.T) {
	right := testcatest.Init(t, testca.InitOptions{})
	wrong := testcatest.Init(t, testca.InitOptions{})
	www := testcatest.Issue(t, right, testca.IssueOptions{}, "www.example.com")
	cert := record.Certificate{Leaf: www.Leaf.Raw, Issuer: right.Certificate().Raw, Job: "edge", Name: "www"}
	id := cert.ID()
	w, _, _ := newWitness(t, 1)
	c := w.chronicle
	told := map[string]record.Certificate{id: {Leaf: cert.Leaf, Issuer: wrong.Certificate().Raw}}
	c.config.Certificates = func(context.Context, []string) map[string]record.Certificate { return told }
	der := []byte("response")
	st := record.Staple{ID: id, DER: der, Meta: record.Meta{SHA256: record.Checksum(der), Status: "good", ThisUpdate: witnessNoon}}
	if _, err := c.config.Store.Put(st); err != nil {
		t.Fatal(err)
	}
	if !c.Flush(t.Context()) || c.config.Store.HasKeptCertificate(id) {
		t.Error("a certificate is kept with an issuer that did not issue it")
	}
	told[id] = cert
	c.note(keptKey{id, st.Meta.SHA256, witnessNoon.Unix()}, []record.Stapled{{Node: "a", At: witnessNoon, How: record.HowTold}})
	if !c.Flush(t.Context()) || !c.config.Store.HasKeptCertificate(id) {
		t.Error("the right one is not")
	}
}

// Of a response that can't be kept when it comes, be it the first or a later one, all
// is noted once it can be; until then the node says so.
func TestChronicleOfADiskThatFails(t *testing.T) {
	for name, before := range map[string]bool{"first": false, "later": true} {
		w, _, _ := newWitness(t, 1)
		c := w.chronicle
		told := 0
		c.config.Changed = func() { told++ }
		data := t.TempDir()
		s, err := store.Open(data)
		if err != nil {
			t.Fatal(err)
		}
		c.config.Store = s
		s.SetHistory(store.History{Keep: func(string) int { return 100 }, Kept: c.Kept})
		id := wantedID(0)
		st := record.Staple{ID: id, DER: []byte("before"), Meta: record.Meta{Status: "good", ThisUpdate: witnessNoon.Add(-time.Hour)}}
		st.Meta.SHA256 = record.Checksum(st.DER)
		if before {
			if _, err := s.Put(st); err != nil || !c.Flush(t.Context()) {
				t.Fatal("the first notes are not written", err)
			}
		}
		// A file in the folder's place, as nothing can be written into it.
		folder := filepath.Join(data, "history", id)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(folder, folder+".aside"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(folder, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		st.DER, st.Meta.ThisUpdate, st.Meta.Responder = []byte("late"), witnessNoon, "http://r"
		st.Meta.SHA256 = record.Checksum(st.DER)
		key := keptKey{id, st.Meta.SHA256, witnessNoon.Unix()}
		news := c.watch()
		if _, err := s.Put(st); err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{"a", "b"} {
			c.note(key, []record.Stapled{{Node: node, At: witnessNoon.Add(time.Second), How: record.HowTold}})
			if c.Flush(t.Context()) {
				t.Errorf("%s: noted where no history can be", name)
			}
			if got := c.Troubles(); told != 1 || len(got) != 1 || got[0].Reason != Reason {
				t.Errorf("%s: %+v, told %d times", name, got, told)
			}
		}
		if got := c.takeWatched(news); len(got) != 1 || got[0] != key {
			t.Errorf("%s: nodes are asked for %v", name, got)
		}
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(folder+".aside", folder); err != nil {
			t.Fatal(err)
		}
		for range 2 { // what the first one kept
			if !c.Flush(t.Context()) {
				t.Errorf("%s: not noted", name)
			}
		}
		if got := c.Troubles(); told != 2 || len(got) != 0 {
			t.Errorf("%s: %+v, told %d times", name, got, told)
		}
		if got, want := w.noted(t, 0), "a told 1s, b told 1s"; got != want {
			t.Errorf("%s: noted %q, want %q", name, got, want)
		}
		if h, err := s.Kept(id, 1); err != nil || h.Responses[0].Notes.Kept.IsZero() || h.Responses[0].Notes.Responder != "http://r" {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}
