package fold

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

func newFold(t *testing.T, cfg *hclconfig.Config) *Fold {
	t.Helper()
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// is checks what a step of a fold came to.
func is(t *testing.T, what string, want bool) func(bool, error) {
	t.Helper()
	return func(got bool, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Fatalf("%s: %v, %v; want %v", what, got, err, want)
		}
	}
}

func TestFold(t *testing.T) {
	cfg := &hclconfig.Config{DataDir: t.TempDir()}
	one, two, three := newFold(t, cfg), newFold(t, cfg), newFold(t, cfg)
	is(t, "the first joins", true)(one.Join())
	is(t, "a second joins", false)(two.Join())
	// What was left before the pass begins is done by it, what is left later is
	// not.
	if err := one.Begin(); err != nil {
		t.Fatal(err)
	}
	is(t, "nobody asked since", false)(one.Again())
	is(t, "it is free", true)(two.Join())
	if err := two.Begin(); err != nil {
		t.Fatal(err)
	}
	is(t, "a third joins", false)(three.Join())
	is(t, "the third asked", true)(two.Again())
	is(t, "another pass holds it", false)(one.try())

	// A note that outlives its holder keeps nobody out, and asks for nothing more
	// than the next pass.
	is(t, "a third joins again", false)(three.Join())
	two.Close()
	is(t, "its holder is gone", true)(one.Join())
	if err := one.Begin(); err != nil {
		t.Fatal(err)
	}
	is(t, "the note is done", false)(one.Again())
}

// A note that is left when its reader has just looked and gone is not lost: who
// left it does the pass.
func TestFoldNoteTooLate(t *testing.T) {
	cfg := &hclconfig.Config{DataDir: t.TempDir()}
	one, two := newFold(t, cfg), newFold(t, cfg)
	is(t, "the first joins", true)(one.Join())
	note := two.note
	two.note = func() error {
		is(t, "nobody asked", false)(one.Again())
		return note()
	}
	is(t, "the second joins", true)(two.Join())
}

// Who waits gets its turn, and no note is left of it.
func TestFoldWait(t *testing.T) {
	cfg := &hclconfig.Config{DataDir: t.TempDir()}
	one, two := newFold(t, cfg), newFold(t, cfg)
	is(t, "the first waits", true)(one.Wait(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 2*poll)
	defer cancel()
	is(t, "in vain", false)(two.Wait(ctx))
	got := make(chan error)
	go func() { // ends when it has the lock, or with the test
		_, err := two.Wait(t.Context())
		got <- err
	}()
	is(t, "nobody asked", false)(one.Again())
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	is(t, "the second has it", false)(one.try())
}

// One configuration is one file, whatever is logged; another is another. Those
// that were long out of use are removed.
func TestFoldNames(t *testing.T) {
	cfg := hclconfig.Config{DataDir: t.TempDir(), Consul: &hclconfig.Consul{Token: "secret"}}
	newFold(t, &cfg)
	louder, other := cfg, cfg
	louder.LogLevel, louder.Files = "trace", []string{"x.hcl"}
	other.Jobs = []hclconfig.Job{{Name: "edge"}}
	newFold(t, &louder)
	names := func() []string {
		files, err := filepath.Glob(filepath.Join(cfg.DataDir, "sync", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	if n := names(); len(n) != 1 {
		t.Fatalf("one configuration: %v", n)
	}
	first := names()[0]
	newFold(t, &other)
	if n := names(); len(n) != 2 {
		t.Fatalf("two configurations: %v", n)
	}
	old := time.Now().Add(-2 * age)
	for _, name := range names() {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	newFold(t, &cfg)
	if n := names(); len(n) != 1 || n[0] != first {
		t.Fatalf("after a day only the own one is left, not %v", n)
	}
}

// However calls fall together, one pass runs at a time, and each call is
// followed by a pass that begins after it.
func TestFoldMissesNothing(t *testing.T) {
	cfg := &hclconfig.Config{DataDir: t.TempDir()}
	var change, seen, working, passes atomic.Int64
	for range 500 {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() { // ends when its call is done
				change.Add(1)
				syncLike(t, cfg, &change, &seen, &working, &passes)
			})
		}
		group.Wait()
		if seen.Load() != change.Load() {
			t.Fatalf("the last pass saw change %d of %d", seen.Load(), change.Load())
		}
	}
	if n := passes.Load(); n > change.Load() {
		t.Errorf("%d passes for %d calls", n, change.Load())
	}
}

func syncLike(t *testing.T, cfg *hclconfig.Config, change, seen, working, passes *atomic.Int64) {
	d, err := Open(cfg)
	if err != nil {
		t.Error(err)
		return
	}
	defer d.Close()
	held, err := d.Join()
	for held && err == nil {
		if working.Add(1) != 1 {
			t.Error("two passes at a time")
		}
		if err = d.Begin(); err != nil {
			break
		}
		passes.Add(1)
		now := change.Load() // what a pass reads
		if now < seen.Load() {
			t.Error("a pass went back")
		}
		seen.Store(now)
		working.Add(-1)
		held, err = d.Again()
	}
	if err != nil {
		t.Error(err)
	}
}
