package filesync

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func create(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // some are closed by their test
	if _, err := f.WriteString(name); err != nil {
		t.Fatal(err)
	}
	return f
}

// Each file has its own error, in the order of the files.
func TestErrorsAreOfTheirFiles(t *testing.T) {
	var files []*os.File
	for i := range 20 {
		files = append(files, create(t, fmt.Sprint(i)))
	}
	for _, closed := range []int{3, 19} {
		files[closed].Close()
	}
	for i, err := range All(files) {
		if closed := i == 3 || i == 19; errors.Is(err, os.ErrClosed) != closed || (err != nil) != closed {
			t.Errorf("file %d: %v", i, err)
		}
	}
	if errs := All(nil); len(errs) != 0 {
		t.Errorf("of none: %v", errs)
	}
}

// Those who come while others are being served are one round after them, and each
// learns what came of its own file.
func TestManyAreServedTogether(t *testing.T) {
	const many = 50
	var g Group
	d := deviceOf(t, &g, create(t, "any"))
	d.running.Lock() // somebody is being served
	errs := make([]error, many)
	var waiting sync.WaitGroup
	for i := range many {
		f := create(t, fmt.Sprint(i))
		waiting.Go(func() { errs[i] = g.Sync(f) })
	}
	var round *round
	for gathered := 0; gathered < many; runtime.Gosched() {
		g.mu.Lock()
		if round = d.next; round != nil {
			gathered = len(round.files)
		}
		g.mu.Unlock()
	}
	bad := round.files[7]
	bad.Close()
	d.running.Unlock()
	waiting.Wait()
	for i, err := range errs {
		if failed := filepath.Base(bad.Name()) == fmt.Sprint(i); errors.Is(err, os.ErrClosed) != failed || (err != nil) != failed {
			t.Errorf("file %d: %v", i, err)
		}
	}
	if d.next != nil {
		t.Error("a round is left")
	}
	if err := g.Sync(create(t, "later")); err != nil {
		t.Errorf("the next: %v", err)
	}
	if err := g.Sync(bad); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
}

// A device that hangs holds up no other.
func TestDevicesAreServedApart(t *testing.T) {
	var g Group
	f := create(t, "here")
	deviceOf(t, &g, f)
	hangs := &device{next: &round{ended: make(chan struct{})}}
	hangs.running.Lock()
	g.devices[^uint64(0)] = hangs
	if err := g.Sync(f); err != nil {
		t.Error(err)
	}
}

func deviceOf(t *testing.T, g *Group, f *os.File) *device {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return g.device(info)
}

// BenchmarkTogether is what 256 new files of a response's size take, made durable
// together, beside one after the other and beside as many goroutines that each
// sync their own.
func BenchmarkTogether(b *testing.B) {
	const many = 256
	content := make([]byte, 1500)
	write := func(b *testing.B) []*os.File {
		b.Helper()
		b.StopTimer()
		defer b.StartTimer()
		dir := b.TempDir()
		files := make([]*os.File, many)
		for i := range files {
			f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { f.Close() })
			if _, err := f.Write(content); err != nil {
				b.Fatal(err)
			}
			files[i] = f
		}
		return files
	}
	one := func(b *testing.B, f *os.File) {
		if err := f.Sync(); err != nil {
			b.Error(err)
		}
	}
	for name, sync := range map[string]func(*testing.B, []*os.File){
		"together": func(b *testing.B, files []*os.File) {
			if err := errors.Join(All(files)...); err != nil {
				b.Error(err)
			}
		},
		"one by one": func(b *testing.B, files []*os.File) {
			for _, f := range files {
				one(b, f)
			}
		},
		"each its own": func(b *testing.B, files []*os.File) {
			var each sync.WaitGroup
			for _, f := range files {
				each.Go(func() { one(b, f) })
			}
			each.Wait()
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sync(b, write(b))
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/many*1e6, "us/file")
		})
	}
}
