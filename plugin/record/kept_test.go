package record

import (
	"fmt"
	"testing"
	"time"
)

func TestKeptNotes(t *testing.T) {
	var k Kept
	k.Kept = noon
	for i, c := range []struct {
		s    Stapled
		news bool
	}{
		{Stapled{Node: "a", At: noon, How: HowFile, Target: "/f"}, true},
		{Stapled{Node: "a", At: noon.Add(time.Hour), How: HowFound, Target: "/f"}, false}, // the first stays
		{Stapled{Node: "a", At: noon.Add(time.Second), How: "set", Target: "haproxy"}, true},
		{Stapled{Node: "b", At: noon.Add(time.Minute), After: noon, How: HowSeen}, true},
		{Stapled{Node: "b", At: noon.Add(2 * time.Second), How: HowTold}, true}, // the node knows better
		{Stapled{Node: "b", At: noon.Add(time.Hour), How: HowSeen}, false},
		{Stapled{Node: "c", How: HowTold}, false},
	} {
		if got := k.Note(c.s); got != c.news {
			t.Errorf("%d: %v", i, got)
		}
	}
	b, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeKept(b)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, s := range again.Sorted() {
		got += fmt.Sprintf("%s %s %v; ", s.Node, s.How, s.At.Sub(noon))
	}
	if want := "a file 0s; a set 1s; b told 2s; "; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	for i := range 2 * MaxStapled {
		k.Note(Stapled{Node: fmt.Sprint(i), At: noon, How: HowTold})
	}
	if b, err = k.Encode(); err != nil || len(k.Stapled) != MaxStapled || len(b) > maxKept {
		t.Errorf("%d places in %d bytes, %v", len(k.Stapled), len(b), err)
	}
}

// What is read of the notes is within its bounds, and is written as it was read.
func FuzzDecodeKept(f *testing.F) {
	k := Kept{Kept: noon, Published: noon, Responder: "http://r", Job: "edge", Name: "www"}
	k.Note(Stapled{Node: "a", Datacenter: "dc1", At: noon, After: noon.Add(-time.Hour), How: HowSeen})
	b, err := k.Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(b), "", "{}", `{"stapled":[{}]}`, `{"stapled":null,"kept":"0001-01-01T00:00:00Z"}`, `{"kept":"9999-12-31T23:59:59.9+23:59"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := DecodeKept(b)
		if err != nil {
			return
		}
		if len(k.Stapled) > MaxStapled {
			t.Fatalf("%d places", len(k.Stapled))
		}
		for _, s := range k.Stapled {
			if s.Node == "" || s.At.IsZero() {
				t.Fatalf("%+v", s)
			}
		}
		if again, err := k.Encode(); err == nil && len(again) <= maxKept {
			if _, err := DecodeKept(again); err != nil {
				t.Fatalf("what was written can't be read: %v", err)
			}
		}
	})
}
