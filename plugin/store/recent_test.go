package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// What was stored just now is not read to be published; whatever else is looked
// at, and is there after it.
func TestPublishOfWhatIsStored(t *testing.T) {
	s := open(t)
	first := response(id, "first", "good", noon)
	if _, err := s.Put(first); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, staples, id+".json")
	for i, want := range []bool{false, true} { // the second time the disk is asked
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(t.Context(), []record.Staple{first}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%d: %v", i, err)
		}
	}
	newer := response(id, "newer", "good", noon.Add(time.Hour))
	if _, err := s.Put(first); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(t.Context(), []record.Staple{newer}); err != nil {
		t.Fatal(err)
	}
	if st, _, err := s.Staple(id); err != nil || string(st.DER) != "newer" {
		t.Errorf("%q, %v", st.DER, err)
	}
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	for i := range 2*mostRecent + 1 {
		r.add(response(numbered(i), "x", "good", noon))
	}
	if n := len(r.stored); n > mostRecent {
		t.Errorf("%d are remembered", n)
	}
}
