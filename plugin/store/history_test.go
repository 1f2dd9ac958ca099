package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// openKeeping opens a data_dir that keeps n responses of each certificate.
func openKeeping(t *testing.T, n *int) (s *Store, failed func() error) {
	t.Helper()
	s = open(t)
	var last error
	s.SetHistory(History{Keep: func(string) int { return *n }, Kept: func(_ record.Staple, err error) { last = err }})
	return s, func() error { return last }
}

func put(t *testing.T, s *Store, text string, this time.Time) record.Staple {
	t.Helper()
	st := response(id, text, "good", this)
	if changed, err := s.Put(st); err != nil || !changed {
		t.Fatalf("%s: %v, %v", text, changed, err)
	}
	return st
}

func pemOf() []byte { return []byte("PEM") }

// texts are the responses of a history, the newest first.
func texts(t *testing.T, s *Store, most int) (list string, all int) {
	t.Helper()
	h, err := s.Kept(id, most)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range h.Responses {
		list += string(r.DER) + " "
	}
	return strings.TrimSpace(list), h.All
}

func TestHistoryKeepsTheNewest(t *testing.T) {
	n := 3
	s, failed := openKeeping(t, &n)
	for i, text := range []string{"a", "b", "c", "d", "e"} {
		put(t, s, text, noon.Add(time.Duration(i)*time.Hour))
	}
	if got, all := texts(t, s, 0); got != "e d c" || all != 3 || failed() != nil {
		t.Errorf("kept %q, %d, %v", got, all, failed())
	}
	if got, all := texts(t, s, 1); got != "e" || all != 3 {
		t.Errorf("the newest is %q of %d", got, all)
	}
	n = 1
	put(t, s, "f", noon.Add(10*time.Hour))
	if got, _ := texts(t, s, 0); got != "f" {
		t.Errorf("of one there are %q", got)
	}
	n = 0
	g := put(t, s, "g", noon.Add(11*time.Hour))
	if got, _ := texts(t, s, 0); got != "f" {
		t.Errorf("switched off it has %q", got)
	}
	// What is switched on later begins with what there is.
	n = 2
	if err := os.RemoveAll(filepath.Join(s.dir, histories)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := keepStored(s, g); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := texts(t, s, 0); got != "g" {
		t.Errorf("begun with %q", got)
	}
}

// A response is in the history before it takes its place, what is noted of it is
// replaced as a whole, and a file that is not what it should be is named and
// hides no other.
func TestHistoryBearsDamage(t *testing.T) {
	n := 10
	s, _ := openKeeping(t, &n)
	first := put(t, s, "first", noon)
	put(t, s, "second", noon.Add(time.Hour))
	note := func(node string) error {
		n := &Note{ID: id, ThisUpdate: noon, SHA256: first.Meta.SHA256, Certificate: pemOf, Change: func(k *record.Kept) bool {
			return k.Note(record.Stapled{Node: node, At: noon, How: record.HowFile, Target: "/f"})
		}}
		s.Note([]*Note{n})
		return n.Err
	}
	for _, node := range []string{"a", "b", "b"} {
		if err := note(node); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(s.dir, histories, id)
	name := filepath.Join(folder, keptName(noon, first.Meta.SHA256))
	if h, _ := s.Kept(id, 0); len(h.Responses) != 2 || len(h.Responses[1].Notes.Stapled) != 2 {
		t.Fatalf("noted: %+v", h)
	}
	for file, text := range map[string]string{
		name + ".json": `{"kept": "2026-`, name + ".der": "other", filepath.Join(folder, "passwd"): "root",
		filepath.Join(folder, ".half-a-file"): "x", filepath.Join(folder, "20261121T120000Z-short.der"): "x",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := s.Kept(id, 0)
	if err != nil || len(h.Responses) != 2 || len(h.Responses[0].Wrong) != 0 || len(h.Foreign) != 2 {
		t.Fatalf("%+v, %v", h, err)
	}
	wrong := errors.Join(h.Responses[1].Wrong...).Error()
	for _, want := range []string{name + ".der: damaged", name + ".json: damaged"} {
		if !strings.Contains(wrong, want) {
			t.Errorf("%q lacks %q", wrong, want)
		}
	}
	// What a crash left goes with the next response, what others put there stays.
	alone := filepath.Join(folder, keptName(noon.Add(-time.Hour), first.Meta.SHA256)+".json")
	if err := errors.Join(os.WriteFile(alone, nil, 0o600), os.Chtimes(filepath.Join(folder, ".half-a-file"), noon, noon)); err != nil {
		t.Fatal(err)
	}
	put(t, s, "third", noon.Add(2*time.Hour))
	for _, gone := range []string{filepath.Join(folder, ".half-a-file"), alone} {
		if _, err := os.Lstat(gone); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", gone, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(folder, "passwd")); err != nil {
		t.Error(err)
	}
	if err := note("c"); err != nil {
		t.Fatal(err)
	}
	if h, _ := s.Kept(id, 0); len(h.Responses[2].Notes.Stapled) != 1 {
		t.Errorf("notes are not begun anew: %+v", h.Responses[2])
	}
	for _, bad := range []*Note{{ID: "../x", SHA256: first.Meta.SHA256}, {ID: id, SHA256: "../x"}} {
		if s.Note([]*Note{bad}); bad.Err == nil {
			t.Errorf("a path was taken: %+v", bad)
		}
	}
}

// A history that can't be written keeps no response from its place.
func TestHistoryFailsAlone(t *testing.T) {
	n := 10
	s, failed := openKeeping(t, &n)
	if err := os.WriteFile(filepath.Join(s.dir, histories), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, s, "first", noon)
	if failed() == nil {
		t.Error("nobody is told")
	}
	if st, found, err := s.Staple(id); !found || err != nil || string(st.DER) != "first" {
		t.Errorf("%v, %v, %v", st, found, err)
	}
}

// What has left stays as long as there is time and room for it, and what is held
// for ever.
func TestForgetHistories(t *testing.T) {
	n := 10
	s, _ := openKeeping(t, &n)
	now := noon.AddDate(3, 0, 0)
	ids := map[string]string{}
	for name, age := range map[string]time.Duration{"held": 900, "old": 401, "left": 100, "latest": 50, "new": 3} {
		ids[name] = strings.Repeat(map[string]string{"held": "0a", "old": "1a", "left": "2a", "latest": "3a", "new": "4a"}[name], 32)
		st := response(ids[name], strings.Repeat("x", 1000), "good", now.Add(-age*24*time.Hour))
		if _, err := s.Put(st); err != nil {
			t.Fatal(err)
		}
		s.Note([]*Note{{ID: ids[name], SHA256: st.Meta.SHA256, ThisUpdate: st.Meta.ThisUpdate, Certificate: pemOf, Change: func(*record.Kept) bool { return false }}})
	}
	foreign := filepath.Join(s.dir, histories, ids["old"], "notes.txt")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := Forget{
		Held: func(id string) bool { return id == ids["held"] }, Most: 1500,
		Before: now.AddDate(0, 0, -400), LeftBefore: now.AddDate(0, 0, -31),
	}
	// A clock that is years ahead makes all of them old: but nothing new has come, either.
	ahead := f
	ahead.Before, ahead.LeftBefore = f.Before.AddDate(5, 0, 0), f.LeftBefore.AddDate(5, 0, 0)
	if got, err := s.ForgetHistories(ahead); err != nil || got != 0 {
		t.Errorf("%d forgotten by a clock that is ahead, %v", got, err)
	}
	if got, err := s.ForgetHistories(f); err != nil || got != 2 {
		t.Errorf("%d forgotten, %v", got, err)
	}
	for name, stays := range map[string]bool{"held": true, "old": false, "left": false, "latest": true, "new": true} {
		if h, err := s.Kept(ids[name], 0); err != nil || (h.All == 1) != stays || s.HasKeptCertificate(ids[name]) != stays {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

// BenchmarkPut10000 stores responses of 10,000 certificates, many at a time, and
// then a newer one of each, with a history and without.
func BenchmarkPut10000(b *testing.B) {
	for _, n := range []int{0, 10} {
		b.Run(fmt.Sprint("history=", n), func(b *testing.B) {
			version := 0
			s, err := Open(filepath.Join(b.TempDir(), "data"))
			if err != nil {
				b.Fatal(err)
			}
			s.SetHistory(History{Keep: func(string) int { return n }, Kept: func(record.Staple, error) {}})
			for b.Loop() {
				version++
				var group errgroup.Group
				group.SetLimit(128)
				for i := range 10_000 {
					group.Go(func() error {
						_, err := s.Put(response(numbered(i), strings.Repeat("x", 500)+fmt.Sprint(version), "good", noon.Add(time.Duration(version)*time.Hour)))
						return err
					})
				}
				if err := group.Wait(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A certificate that nobody can give does not make the history begin anew.
func TestKeepStoredBeginsOnce(t *testing.T) {
	n, kept := 5, 0
	s := open(t)
	s.SetHistory(History{Keep: func(string) int { return n }, Kept: func(record.Staple, error) { kept++ }})
	first := put(t, s, "first", noon)
	for range 3 {
		if err := keepStored(s, first); err != nil {
			t.Fatal(err)
		}
	}
	if kept != 1 {
		t.Errorf("kept %d times", kept)
	}
}
