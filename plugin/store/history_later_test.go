package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// What could not be kept when it came is kept later, beside older ones too.
func TestKeepStoredLater(t *testing.T) {
	for name, before := range map[string]int{"first": 0, "third": 2} {
		n := 10
		s, failed := openKeeping(t, &n)
		for i := range before {
			put(t, s, string(rune('a'+i)), noon.Add(time.Duration(i)*time.Hour))
		}
		// A file in the folder's place, as nothing can be written into it.
		folder := filepath.Join(s.dir, histories, id)
		if before == 0 {
			if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Rename(folder, folder+".aside"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(folder, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		late := put(t, s, "late", noon.Add(5*time.Hour))
		if err := keepStored(s, late); err == nil || failed() == nil {
			t.Errorf("%s: kept where a file is: %v, %v", name, err, failed())
		}
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		if before > 0 {
			if err := os.Rename(folder+".aside", folder); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := keepStored(s, late); err != nil || failed() != nil {
				t.Errorf("%s: %v, %v", name, err, failed())
			}
			if got, all := texts(t, s, 1); got != "late" || all != before+1 {
				t.Errorf("%s: the newest is %q of %d", name, got, all)
			}
		}
	}
}

func keepStored(s *Store, st record.Staple) error {
	return s.KeepStored(st.ID, st.Meta.ThisUpdate, st.Meta.SHA256)
}

// A folder that was not made durable is with the next response that is kept, or
// when what was missed is kept again.
func TestHistoriesThatWereNotSynced(t *testing.T) {
	first := response(id, "first", "good", noon)
	for name, again := range map[string]func(s *Store) error{
		"the next":   func(s *Store) error { _, err := s.Put(response(id, "second", "good", noon.Add(time.Hour))); return err },
		"kept again": func(s *Store) error { return keepStored(s, first) },
	} {
		s := open(t)
		broken, synced := errors.New("input/output error"), 0
		s.folders.Do = func(path string) error {
			if path != filepath.Join(s.dir, histories) {
				return nil
			}
			synced++
			return broken
		}
		var failed error
		s.SetHistory(History{Keep: func(string) int { return 5 }, Kept: func(_ record.Staple, err error) { failed = err }})
		put(t, s, "first", noon)
		if !errors.Is(failed, broken) || !errors.Is(keepStored(s, first), broken) {
			t.Errorf("%s: told %v; want %v", name, failed, broken)
		}
		broken, synced, failed = nil, 0, nil
		for range 2 {
			if err := again(s); err != nil || failed != nil || synced != 1 {
				t.Errorf("%s: %v, %v after %d syncs; want one", name, err, failed, synced)
			}
		}
	}
}
