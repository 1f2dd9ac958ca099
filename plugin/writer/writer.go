package writer

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/filesync"
	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Config is what a Writer needs. Store and Logger are required.
type Config struct {
	Store Store
	// TrustedFolders are absolute paths; below them no folder is refused.
	TrustedFolders []string
	Logger         hclog.Logger
	Now            func() time.Time // nil: time.Now
	Random         func() float64   // [0,1) for pauses; nil: math/rand
	// EpochInterval is how often targets are asked whether they were restarted;
	// 0: 5 s.
	EpochInterval time.Duration
	// CompareInterval is how often what targets with an epoch serve, and what the
	// files hold, is compared with what it should be; 0: 5 min.
	CompareInterval time.Duration
	// Changed, if set, is called when a certificate's status, or what is wrong
	// with it or one of its targets, is another than before. It must not block
	// or call the Writer.
	Changed func()
	// Refreshed, if set, is called when a certificate has a newer response of
	// the same status and nothing else changed. As Changed, it must not block.
	Refreshed func()
	// Progress, if set, is told how far a certificate is whenever something was
	// done for it, whether or not anything is new. As Changed, it must not block.
	Progress func(State)
	// Pushed, if set, is told of each response that a target was given, and how,
	// or why that failed. It must not block or call the Writer.
	Pushed func(target, how, reason string)
	// Stepped, if set, is told by Pass how many of its steps are done, a file or a
	// target of one certificate each: from one goroutine at a time.
	Stepped func(done, total int)
	// FirstRetry and LongestRetry are the pauses after a failure; 0: 1 s, 1 min.
	FirstRetry, LongestRetry time.Duration
}

// fileWorkers write files at a time: a write mostly waits for the disk, and a file
// system makes durable together what is written together.
const fileWorkers = 256

// earlyInterval is how often the Source is asked again for responses that were
// refused because our clock is behind.
const earlyInterval = 5 * time.Minute

// Writer serves the certificates of one node.
type Writer struct {
	store  Store
	log    hclog.Logger
	now    func() time.Time
	config Config
	trust  trust
	// contents and folders serve all file workers.
	contents filesync.Group
	folders  foldersync.Folders
	wake     chan struct{} // has room for one: ids has others now

	setting sync.Mutex // one Set at a time

	mu      sync.Mutex
	entries map[entryKey]*entry
	byID    map[string][]*entry
	tellers map[Target]*teller // those that run
	run     *running           // nil: not in Run
	warned  map[warning]bool

	complaints map[complaintKey]*complaint
	well       ration.Lines // of what went well
}

// running is what goroutines of Run share.
type running struct {
	ctx   context.Context
	wg    sync.WaitGroup
	files *queue
}

// New makes a Writer without certificates.
func New(c Config) *Writer {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	c.EpochInterval = cmp.Or(c.EpochInterval, 5*time.Second)
	c.CompareInterval = cmp.Or(c.CompareInterval, 5*time.Minute)
	c.FirstRetry = cmp.Or(c.FirstRetry, time.Second)
	c.LongestRetry = cmp.Or(c.LongestRetry, time.Minute)
	return &Writer{
		config:  c,
		store:   c.Store,
		log:     c.Logger,
		now:     c.Now,
		trust:   newTrust(c.TrustedFolders),
		folders: foldersync.Folders{Do: syncFolder},
		wake:    make(chan struct{}, 1),
		entries: map[entryKey]*entry{},
		byID:    map[string][]*entry{},
		tellers: map[Target]*teller{},
		warned:  map[warning]bool{},

		complaints: map[complaintKey]*complaint{},
	}
}

// Set says which certificates are served from now on. What data_dir and the
// files hold for new ones is verified before it returns; it may take seconds
// for thousands. During Run they are then written, installed and asked for.
// Those no longer listed are left as they are.
func (w *Writer) Set(certs []Certificate) {
	w.setting.Lock()
	defer w.setting.Unlock()
	fresh, gone := w.replace(certs)
	w.loadAll(fresh)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == nil {
		return
	}
	w.startTellers()
	for _, e := range w.entries {
		w.run.files.add(e)
	}
	if len(fresh) > 0 || gone {
		w.wakeSource()
	}
}

// replace makes certs the entries, and returns those of which nothing is known,
// and whether others are no more.
func (w *Writer) replace(certs []Certificate) (fresh []*entry, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.entries
	w.entries = make(map[entryKey]*entry, len(certs))
	w.byID = map[string][]*entry{}
	for _, c := range certs {
		k := entryKey{c.Job, c.Path}
		e := old[k]
		if e == nil || !equal(&e.cert, &c) {
			e = &entry{cert: c, targets: map[Target]*delivery{}}
			if before := old[k]; before != nil && same(&before.cert, &c) {
				e.inherit(before)
			} else {
				e.cert.pair = c.Pair.On(c.Leaf, c.Issuer)
				fresh = append(fresh, e)
			}
		}
		if w.entries[k] == nil {
			w.byID[c.ID] = append(w.byID[c.ID], e)
			w.entries[k] = e
		}
	}
	for k, e := range old {
		e.gone = w.entries[k] != e
		gone = gone || e.gone
		if e.gone {
			w.forget(e)
		}
	}
	return fresh, gone
}

// loadAll verifies what is there for entries, on all processors.
func (w *Writer) loadAll(entries []*entry) {
	work := make(chan *entry)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		// Ends when work is closed, below.
		go func() {
			defer wg.Done()
			for e := range work {
				w.load(e)
			}
		}()
	}
	for _, e := range entries {
		work <- e
	}
	close(work)
	wg.Wait()
}

func (w *Writer) wakeSource() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// ids are the certificates that the Source looks for.
func (w *Writer) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.byID))
}

// holds says what is held for id; of several files the one that is furthest.
func (w *Writer) holds(id string) (record.Meta, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var best *entry
	for _, e := range w.byID[id] {
		if e.held != nil && (best == nil || supersedes(e.held, best.held)) {
			best = e
		}
	}
	if best == nil {
		return record.Meta{}, false
	}
	return meta(&best.cert, best.held, record.Meta{}), true
}

// deliver takes what the Source has; no id is in list twice. It verifies, on all
// processors; what was let in is left to those who write, so that nobody who
// verifies waits for the disk.
func (w *Writer) deliver(ctx context.Context, list []record.Staple) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, st := range list {
		group.Go(func() error { // ends by itself
			if ctx.Err() == nil {
				w.deliverOne(st)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// deliverOne considers a response for each entry of its id, and once more if
// Set put other entries in their place meanwhile, which may have missed it;
// what has it already takes no harm.
func (w *Writer) deliverOne(st record.Staple) {
	for entries := w.entriesOf(st.ID); ; entries = w.entriesOf(st.ID) {
		for _, e := range entries {
			if w.consider(e, st) {
				w.enqueue(e)
			}
		}
		if slices.Equal(entries, w.entriesOf(st.ID)) {
			return
		}
	}
}

func (w *Writer) entriesOf(id string) []*entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.byID[id])
}
