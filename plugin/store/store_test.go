package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func response(id, text, status string, this time.Time) record.Staple {
	der := []byte(text)
	return record.Staple{ID: id, DER: der, Meta: record.Meta{SHA256: record.Checksum(der), Status: status, ThisUpdate: this}}
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var id = strings.Repeat("ab", 32)

func TestOlderNeverReplacesNewer(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		st   record.Staple
		want bool
	}{
		{response(id, "first", "good", noon), true},
		{response(id, "older", "good", noon.Add(-time.Hour)), false},
		{response(id, "same time", "good", noon), false},
		{response(id, "same time", "revoked", noon), true},
		{response(id, "unknown", "unknown", noon.Add(time.Hour)), false},
		{response(id, "later", "good", noon.Add(time.Hour)), true},
	} {
		if got, err := s.Put(c.st); err != nil || got != c.want {
			t.Errorf("%s %s: %v, %v; want %v", c.st.DER, c.st.Meta.Status, got, err, c.want)
		}
	}
	st, found, err := s.Staple(id)
	if err != nil || !found || string(st.DER) != "later" {
		t.Errorf("stored %q, %v, %v", st.DER, found, err)
	}
	info, err := os.Stat(s.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data_dir has mode %v, %v", info.Mode(), err)
	}
}

func TestLookMakesNothing(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "data")
	for _, dir := range []string{absent, t.TempDir()} {
		s := Look(dir)
		if st, found, err := s.Staple(id); found || err != nil {
			t.Errorf("%+v, %v", st, err)
		}
		if metas, err := s.Metas(); len(metas) != 0 || err != nil {
			t.Errorf("%v, %v", metas, err)
		}
		if troubles, err := s.Troubles(); len(troubles) != 0 || err != nil {
			t.Errorf("%v, %v", troubles, err)
		}
		if err := s.PutIssuer(id, []byte("DER")); err == nil {
			t.Error("an issuer was kept in a data_dir that no agent has made")
		}
		if entries, err := os.ReadDir(dir); len(entries) != 0 || err != nil && dir != absent {
			t.Errorf("%v, %v", entries, err)
		}
	}
	if _, err := os.Stat(absent); !os.IsNotExist(err) {
		t.Error(err)
	}

	s := open(t)
	if _, err := s.Put(response(id, "first", "good", noon)); err != nil {
		t.Fatal(err)
	}
	looked := Look(s.dir)
	if st, found, err := looked.Staple(id); string(st.DER) != "first" || !found || err != nil {
		t.Errorf("%q, %v, %v", st.DER, found, err)
	}
	if err := looked.PutIssuer(id, []byte("DER")); err != nil {
		t.Error(err)
	}
}

func TestDamagedFileIsSuperseded(t *testing.T) {
	s := open(t)
	path := filepath.Join(s.dir, staples, id+".json")
	for _, damage := range []string{"", "{", `{"meta":{},"der":"AAAA"}`} {
		if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.Staple(id); err == nil || found {
			t.Errorf("%q was read", damage)
		}
		if got, err := s.Put(response(id, "good one", "good", noon)); !got || err != nil {
			t.Errorf("over %q: %v, %v", damage, got, err)
		}
	}
	if _, err := s.Put(response("../"+id[3:], "x", "good", noon)); err == nil {
		t.Error("an id that leaves the folder was taken")
	}
}

func TestInstanceStays(t *testing.T) {
	s := open(t)
	first, err := s.Instance()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := again.Instance(); err != nil || second != first || first == "" {
		t.Errorf("%q, then %q, %v", first, second, err)
	}
}

func TestTroubleComesAndGoes(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	if err := s.Trouble(ctx, id, &record.Trouble{Reason: "refused", Since: noon}); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.Troubles(); err != nil || kept[id].Reason != "refused" {
		t.Errorf("%v, %v", kept, err)
	}
	for range 2 {
		if err := s.Trouble(ctx, id, nil); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := s.Troubles(); err != nil || len(kept) != 0 {
		t.Errorf("%v, %v", kept, err)
	}
}

// Another process writes to the same data_dir while this one follows it.
func TestFollowSeesOtherWriters(t *testing.T) {
	s := open(t)
	other, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Put(response(id, "first", "good", noon)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan string)
	held := map[string]record.Meta{}
	var wg sync.WaitGroup
	wg.Go(func() { // ends with cancel, below
		err := s.Follow(ctx, func() []string { return []string{id} },
			func(id string) (record.Meta, bool) { m, ok := held[id]; return m, ok },
			func(ctx context.Context, list []record.Staple) {
				for _, st := range list {
					held[st.ID] = st.Meta
					got <- string(st.DER)
				}
			}, nil)
		if err != nil {
			t.Error(err)
		}
	})
	if st := <-got; st != "first" {
		t.Errorf("delivered %q", st)
	}
	if _, err := other.Put(response(id, "second", "good", noon.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if st := <-got; st != "second" {
		t.Errorf("delivered %q", st)
	}
	cancel()
	wg.Wait()
}
