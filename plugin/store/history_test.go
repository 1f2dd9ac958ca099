package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	put(t, s, "g", noon.Add(11*time.Hour))
	if got, _ := texts(t, s, 0); got != "f" {
		t.Errorf("switched off it has %q", got)
	}
	// What is switched on later begins with what there is.
	n = 2
	if err := os.RemoveAll(filepath.Join(s.dir, histories)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.KeepStored(id); err != nil {
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
		return s.Note(id, noon, first.Meta.SHA256, func(k *record.Kept) bool {
			return k.Note(record.Stapled{Node: node, At: noon, How: record.HowFile, Target: "/f"})
		})
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
	put(t, s, "third", noon.Add(2*time.Hour))
	if _, err := os.Lstat(filepath.Join(folder, ".half-a-file")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a half file is there: %v", err)
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
	if err := s.Note("../x", noon, first.Meta.SHA256, nil); err == nil {
		t.Error("an id that is a path was taken")
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
		if err := s.PutKeptCertificate(ids[name], func() []byte { return []byte("PEM") }); err != nil {
			t.Fatal(err)
		}
	}
	foreign := filepath.Join(s.dir, histories, ids["old"], "notes.txt")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := Forget{
		Held: func(id string) bool { return id == ids["held"] }, Most: 1500,
		Before: now.AddDate(0, 0, -400), LeftBefore: now.AddDate(0, 0, -31),
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
