package plugin

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// What can't be noted now is noted later, with the times that it had.
func TestChronicleNotesLater(t *testing.T) {
	w, _, _ := newWitness(t, 1)
	w.publish(t, 0, witnessNoon)
	c := w.chronicle
	if !c.flush(t.Context()) {
		t.Fatal("the first notes are not written")
	}
	this, sum, _ := c.store.NewestKept(wantedID(0))
	key := keptKey{wantedID(0), sum, this.Unix()}
	h, err := c.store.Kept(wantedID(0), 0)
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
	if c.flush(t.Context()) {
		t.Fatal("notes were written where a folder is")
	}
	c.note(key, []record.Stapled{{Node: "b", At: witnessNoon.Add(2 * time.Second), How: record.HowTold}})
	if err := os.RemoveAll(notes); err != nil {
		t.Fatal(err)
	}
	if !c.flush(t.Context()) {
		t.Fatal("notes are not written")
	}
	if got, want := w.noted(t, 0), "a told 1s, b told 2s"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
}
