package inventory

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

type found struct {
	certs    []Certificate
	problems []Problem
}

// watching starts Watch, and gives what it finds, one after the other.
func watching(t *testing.T, sources []Source, o WatchOptions) <-chan found {
	t.Helper()
	if o.Quiet == 0 {
		o.Quiet = 20 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan found, 100)
	done := make(chan error, 1)
	// Ends with ctx.
	go func() {
		done <- Watch(ctx, sources, func(c []Certificate, p []Problem) { results <- found{c, p} }, o)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watch: %v", err)
		}
	})
	return results
}

// until waits for a result that is as wanted.
func until(t *testing.T, what string, results <-chan found, ok func(found) bool) found {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case f := <-results:
			if ok(f) {
				return f
			}
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestWatchSeesFilesComeChangeAndGo(t *testing.T) {
	y := newYard(t)
	y.issue("one.pem", testca.IssueOptions{})
	results := watching(t, set(y.folder), WatchOptions{Rescan: time.Hour})
	first := until(t, "the first look", results, func(f found) bool { return names(f.certs) == "one" })

	y.issue("two.pem", testca.IssueOptions{})
	until(t, "a second file", results, func(f found) bool { return names(f.certs) == "one two" })

	// Renewed by a rename, as ACME clients do.
	fresh := y.issue(".renewed", testca.IssueOptions{})
	rename(t, fresh, y.path("one.pem"))
	renewed := until(t, "the renewed one", results, func(f found) bool { return len(f.certs) == 2 && f.certs[0].ID != first.certs[0].ID })

	// Renewed in place.
	content, err := os.ReadFile(y.issue(".again", testca.IssueOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	y.write("one.pem", string(content))
	until(t, "one written in place", results, func(f found) bool { return len(f.certs) == 2 && f.certs[0].ID != renewed.certs[0].ID })

	if err := os.Remove(y.path("two.pem")); err != nil {
		t.Fatal(err)
	}
	until(t, "one to be gone", results, func(f found) bool { return names(f.certs) == "one" })
}

func TestHalfWrittenFileKeepsTheCertificate(t *testing.T) {
	y := newYard(t)
	path := y.issue("one.pem", testca.IssueOptions{})
	y.issue("two.pem", testca.IssueOptions{})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sources := []Source{{Job: "edge", Certificates: []Single{{Name: "one", Path: path}, {Name: "two", Path: y.path("two.pem")}}}}
	results := watching(t, sources, WatchOptions{Rescan: time.Hour})
	first := until(t, "the first look", results, func(f found) bool { return len(f.certs) == 2 })

	y.write("one.pem", string(whole[:300]))
	half := until(t, "the half", results, func(f found) bool { return len(f.problems) == 1 })
	if len(half.certs) != 2 || half.certs[0].ID != first.certs[0].ID {
		t.Errorf("certificates: %s", names(half.certs))
	}
	wantProblems(t, half.problems, "one.pem: PEM")
	y.write("one.pem", string(whole))
	until(t, "the whole", results, func(f found) bool { return len(f.problems) == 0 && len(f.certs) == 2 })

	// Away for a moment, as when a file is removed and made again.
	rename(t, path, path+".away")
	away := until(t, "it to be away", results, func(f found) bool { return len(f.problems) == 1 })
	if len(away.certs) != 2 {
		t.Errorf("certificates: %s", names(away.certs))
	}
}

func TestWatchSeesTurnedLinks(t *testing.T) {
	y := newYard(t)
	y.issue("v1/www.pem", testca.IssueOptions{})
	y.issue("v2/www.pem", testca.IssueOptions{})
	y.link("v1", "..data") // as Kubernetes mounts secrets
	y.link(filepath.Join("..data", "www.pem"), "www.pem")
	sources := []Source{{Job: "edge", Certificates: []Single{{Name: "www", Path: y.path("www.pem")}}}}
	results := watching(t, sources, WatchOptions{Rescan: time.Hour})
	first := until(t, "the first look", results, func(f found) bool { return len(f.certs) == 1 })

	y.link("v2", "..data_tmp")
	rename(t, y.path("..data_tmp"), y.path("..data"))
	until(t, "the link to be turned", results, func(f found) bool { return len(f.certs) == 1 && f.certs[0].ID != first.certs[0].ID })

	fresh := y.issue("renewed.pem", testca.IssueOptions{})
	rename(t, fresh, y.path("v2/www.pem")) // in the folder behind the link
	until(t, "the file behind the link", results, func(f found) bool { return len(f.certs) == 1 && f.certs[0].ID != first.certs[0].ID })
}

func TestWatchSeesNewFolders(t *testing.T) {
	y := newYard(t)
	results := watching(t, set(y.path("live/*/x.pem")), WatchOptions{Rescan: time.Hour})
	until(t, "nothing", results, func(f found) bool { return len(f.certs) == 0 && len(f.problems) == 1 })
	y.issue("live/a/x.pem", testca.IssueOptions{})
	until(t, "a file in a new folder", results, func(f found) bool { return len(f.certs) == 1 && len(f.problems) == 0 })
}

func TestRescanIsTheNet(t *testing.T) {
	y := newYard(t)
	path := y.issue("one.pem", testca.IssueOptions{})
	w := newWatch(set(y.folder), WatchOptions{Rescan: 10 * time.Millisecond})
	w.close() // no notification ever comes
	w.notify, w.events, w.errors = nil, nil, nil
	certs, _ := w.look()
	fresh := y.issue("elsewhere/new.pem", testca.IssueOptions{})
	rename(t, fresh, path)
	again, _ := w.look()
	if len(certs) != 1 || len(again) != 1 || certs[0].ID == again[0].ID {
		t.Error("a look does not see the change by itself")
	}

	results := watching(t, set(y.folder), WatchOptions{Rescan: 10 * time.Millisecond})
	until(t, "the first look", results, func(f found) bool { return len(f.certs) == 1 })
	select {
	case f := <-results:
		t.Errorf("nothing changed, and yet: %v", f)
	case <-time.After(100 * time.Millisecond):
	}
}

// In a folder in which something is written all the time, changes are seen too.
func TestWatchSeesChangesInBusyFolders(t *testing.T) {
	y := newYard(t)
	y.issue("one.pem", testca.IssueOptions{})
	results := watching(t, set(y.path("*.pem")), WatchOptions{Rescan: time.Hour})
	until(t, "the first look", results, func(f found) bool { return names(f.certs) == "one" })
	seen, done := make(chan struct{}), make(chan struct{})
	// Ends when the certificate was seen, below.
	go func() {
		defer close(done)
		for {
			select {
			case <-seen:
				return
			default:
				y.write("busy.log", "once more")
			}
		}
	}()
	y.issue("two.pem", testca.IssueOptions{})
	until(t, "a second file", results, func(f found) bool { return names(f.certs) == "one two" })
	close(seen)
	<-done
}

// BenchmarkNoticed is from a certificate's renewal to its being known, in a
// folder of many.
func BenchmarkNoticed(b *testing.B) {
	ca := testcatest.Init(b, testca.InitOptions{})
	all := testcatest.IssueMany(b, ca, testca.IssueOptions{}, 1000, "c%d.test")
	folder := b.TempDir()
	long := time.Now().Add(-time.Hour)
	for _, c := range all {
		if err := os.Chtimes(c.Path, long, long); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(c.Path, filepath.Join(folder, filepath.Base(c.Path))); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	changed, done := make(chan struct{}, 100), make(chan error, 1)
	go func() { // ends with ctx
		done <- Watch(ctx, set(folder), func([]Certificate, []Problem) { changed <- struct{}{} }, WatchOptions{})
	}()
	<-changed
	for b.Loop() {
		b.StopTimer()
		fresh := testcatest.Issue(b, ca, testca.IssueOptions{File: filepath.Join(b.TempDir(), "fresh")}, all[0].Name)
		b.StartTimer()
		if err := os.Rename(fresh.Path, filepath.Join(folder, all[0].Name+".pem")); err != nil {
			b.Fatal(err)
		}
		<-changed
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
