package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Many write at once, several of them to the same certificate: each is told the
// truth of its own, and the newest stays.
func TestPutTogether(t *testing.T) {
	s := open(t)
	const ids, versions = 20, 5
	each := make([][versions]bool, ids)
	var all sync.WaitGroup
	for i := range ids {
		for v := range versions {
			all.Go(func() {
				st := response(numbered(i), fmt.Sprint("version ", v), "good", noon.Add(time.Duration(v)*time.Hour))
				var err error
				if each[i][v], err = s.Put(st); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for i := range ids {
		st, found, err := s.Staple(numbered(i))
		if err != nil || !found || string(st.DER) != fmt.Sprint("version ", versions-1) {
			t.Errorf("stored %q, %v, %v", st.DER, found, err)
		}
		if !each[i][versions-1] {
			t.Error("the newest was not stored, it says")
		}
	}
}

// In a batch, what was stored first counts for what comes after it, and one
// that can't be stored is the only one that fails.
func TestBatch(t *testing.T) {
	s := open(t)
	bad := response(numbered(1), "bad", "good", noon)
	bad.Meta.SHA256 = record.Checksum([]byte("something else"))
	batch := []*pending{
		{st: response(id, "new", "good", noon.Add(time.Hour))},
		{st: bad},
		{st: response(id, "old", "good", noon)},
		{st: response(id, "whatever is stored", "good", noon), always: true},
		{st: response(numbered(2), "other", "good", noon)},
	}
	s.keep(batch...)
	for i, want := range []bool{true, false, false, true, true} {
		if p := batch[i]; p.changed != want || !p.done || (p.err != nil) != (i == 1) {
			t.Errorf("%d: %+v", i, p)
		}
	}
	if st, _, _ := s.Staple(id); string(st.DER) != "whatever is stored" {
		t.Errorf("stored %q", st.DER)
	}
}

// A data_dir that is gone fails all that wait for it, and what comes after it is
// there again is stored.
func TestBatchWithoutFolder(t *testing.T) {
	s := open(t)
	away := s.dir + ".away"
	if err := os.Rename(s.dir, away); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if changed, err := s.Put(response(numbered(i), "x", "good", noon)); changed || err == nil {
				t.Errorf("%v, %v", changed, err)
			}
		})
	}
	all.Wait()
	if err := os.Rename(away, s.dir); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Put(response(id, "x", "good", noon)); !changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, staples, "*")); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// What is in its place while the folder could not be synced is not stored before
// that is made up for, whoever asks for it next.
func TestFolderThatWasNotSynced(t *testing.T) {
	st := response(id, "x", "good", noon)
	for name, again := range map[string]func(s *Store) error{
		"put":     func(s *Store) error { _, err := s.Put(st); return err },
		"publish": func(s *Store) error { return s.Publish(t.Context(), []record.Staple{st}) },
		"another": func(s *Store) error { _, err := s.Put(response(id, "old", "good", noon.Add(-time.Hour))); return err },
	} {
		s := open(t)
		broken, synced := errors.New("input/output error"), 0
		s.folders.Do = func(string) error { synced++; return broken }
		for range 2 {
			if changed, err := s.Put(st); changed || !errors.Is(err, broken) {
				t.Errorf("%s: %v, %v; want %v", name, changed, err, broken)
			}
			if err := again(s); !errors.Is(err, broken) {
				t.Errorf("%s: %v; want %v", name, err, broken)
			}
		}
		broken, synced = nil, 0
		for range 2 {
			if err := again(s); err != nil || synced != 1 {
				t.Errorf("%s: %v after %d syncs; want one", name, err, synced)
			}
		}
	}
}

// A word that may be gone after a power cut is not given out.
func TestInstanceInAFolderThatWasNotSynced(t *testing.T) {
	s := open(t)
	broken := errors.New("input/output error")
	s.folders.Do = func(string) error { return broken }
	for range 2 {
		if _, err := s.Instance(); !errors.Is(err, broken) {
			t.Errorf("%v; want %v", err, broken)
		}
	}
	broken = nil
	if word, err := s.Instance(); word == "" || err != nil {
		t.Errorf("%q, %v", word, err)
	}
}

func numbered(i int) string { return fmt.Sprintf("%064x", i) }

// What a crash left of a write is no hindrance to the next one, and stays no
// longer than it.
func TestDraftOfACrash(t *testing.T) {
	s := open(t)
	left := filepath.Join(s.dir, staples, "."+id+".json")
	if err := os.WriteFile(left, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Put(response(id, "x", "good", noon)); !changed || err != nil {
		t.Fatalf("%v, %v", changed, err)
	}
	if st, found, err := s.Staple(id); err != nil || !found || string(st.DER) != "x" {
		t.Errorf("stored %q, %v, %v", st.DER, found, err)
	}
	if _, err := os.Lstat(left); !os.IsNotExist(err) {
		t.Errorf("the draft: %v", err)
	}
}

// A file that can't be put into its place fails alone, and leaves nothing beside
// it. More files than are open at a time are all stored.
func TestBatchOfMany(t *testing.T) {
	s := open(t)
	if err := os.MkdirAll(filepath.Join(s.dir, staples, numbered(7)+".json", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	var batch []*pending
	for i := range mostDrafts + 10 {
		batch = append(batch, &pending{st: response(numbered(i), fmt.Sprint(i), "good", noon)})
	}
	s.keep(batch...)
	for i, p := range batch {
		if ok := i != 7; p.changed != ok || (p.err == nil) != ok {
			t.Errorf("%d: %v, %v", i, p.changed, p.err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, staples, ".*")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
