package inventory

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
)

// WatchOptions are for tests and odd file systems; the zero value is usual.
type WatchOptions struct {
	Rescan time.Duration // the net below notifications; 0: 60 s
	Quiet  time.Duration // how long nothing may happen before a look; 0: 200 ms
	Logger hclog.Logger  // nil: none
	Now    func() time.Time
}

// patience is how many times Quiet a look is put off while things go on: with
// the usual Quiet a change is noticed within a second in any case.
const patience = 4

// Watch calls changed with what Read would give, at once and whenever that
// changes, until ctx ends; it returns nil then. Folders are watched rather than
// files, so that renames and turned links are seen, and all is looked at now
// and then, because notifications get lost and some file systems have none.
// changed is called by one goroutine and may keep what it is given.
func Watch(ctx context.Context, sources []Source, changed func([]Certificate, []Problem), o WatchOptions) error {
	w := newWatch(sources, o)
	defer w.close()
	rescan := time.NewTicker(w.o.Rescan)
	defer rescan.Stop()
	certs, problems := w.look()
	changed(slices.Clone(certs), slices.Clone(problems))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rescan.C:
		case event := <-w.events:
			if !w.matters(event) {
				continue
			}
			w.settle(ctx)
		case err := <-w.errors:
			w.o.Logger.Warn("file notifications were lost, looking at all files", "error", err)
		}
		newCerts, newProblems := w.look()
		same := slices.EqualFunc(certs, newCerts, equal) && slices.EqualFunc(problems, newProblems, equalProblem)
		certs, problems = newCerts, newProblems // which the reader keeps anyway
		if same {
			continue
		}
		changed(slices.Clone(certs), slices.Clone(problems))
	}
}

type watch struct {
	sources []Source
	o       WatchOptions
	reader  reader
	notify  *fsnotify.Watcher // nil where the system has none to give
	events  chan fsnotify.Event
	errors  chan error
	folders map[string]bool
}

func newWatch(sources []Source, o WatchOptions) *watch {
	if o.Rescan <= 0 {
		o.Rescan = time.Minute
	}
	if o.Quiet <= 0 {
		o.Quiet = 200 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &watch{sources: sources, o: o, reader: reader{files: newFiles(o.Now)}, folders: map[string]bool{}}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		o.Logger.Warn("no file notifications; changes are seen by looking", "every", o.Rescan, "error", err)
		return w
	}
	w.notify, w.events, w.errors = n, n.Events, n.Errors
	return w
}

func (w *watch) close() {
	if w.notify != nil {
		w.notify.Close()
	}
}

// look watches first and reads then, so that nothing between goes unseen.
func (w *watch) look() ([]Certificate, []Problem) {
	w.add(patternFolders(w.sources))
	certs, problems := w.reader.read(w.sources)
	paths := make([]string, len(certs))
	for i := range certs {
		paths[i] = certs[i].Path
	}
	if w.add(foldersOf(append(paths, w.reader.looked...))) {
		// Files may have changed in a folder that was not watched yet.
		certs, problems = w.reader.read(w.sources)
	}
	return certs, problems
}

// add watches folders and tells if any was not watched before.
func (w *watch) add(folders map[string]bool) (added bool) {
	if w.notify == nil {
		return false
	}
	for f := range folders {
		known := w.folders[f]
		// Also for those known: another folder may have taken the place.
		if err := w.notify.Add(f); err != nil && exists(f) && !known {
			w.o.Logger.Warn("folder can't be watched; changes in it are seen by looking", "folder", f, "every", w.o.Rescan, "error", err)
		} else if err != nil {
			continue
		}
		w.folders[f] = true
		added = added || !known
	}
	return added
}

// matters leaves out what we write ourselves, all the time.
func (w *watch) matters(event fsnotify.Event) bool {
	if event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
		delete(w.folders, event.Name)
	}
	switch filepath.Ext(event.Name) {
	case ".ocsp", ".sctl":
		return false
	}
	return true
}

// settle waits until nothing has happened for a while, or for long enough: a
// file is seldom written at once.
func (w *watch) settle(ctx context.Context) {
	end := time.NewTimer(patience * w.o.Quiet)
	defer end.Stop()
	quiet := time.NewTimer(w.o.Quiet)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-quiet.C:
			return
		case event := <-w.events:
			if w.matters(event) {
				quiet.Reset(w.o.Quiet)
			}
		}
	}
}

func equal(a, b Certificate) bool {
	return a.IssuerFile == b.IssuerFile && a.SelfUpdating == b.SelfUpdating && a.ZeroWarning == b.ZeroWarning &&
		a.ID == b.ID && a.Job == b.Job && a.Name == b.Name && a.Path == b.Path && a.OCSPFile == b.OCSPFile &&
		a.IssuerFrom == b.IssuerFrom && a.IssuerInPEM == b.IssuerInPEM && a.IssuerInFile == b.IssuerInFile &&
		(a.Issuer == b.Issuer || a.Issuer != nil && a.Issuer.Equal(b.Issuer))
}

func equalProblem(a, b Problem) bool { return a.Error() == b.Error() }
