package store

import (
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// syncers is how many folders of a batch are synced at a time: the file system and
// the disk do together what is asked for at the same time.
const syncers = 32

// pending is a response on its way to the disk.
type pending struct {
	st record.Staple
	// always: whatever is stored.
	always bool

	done, changed bool
	err           error
}

// mostDrafts is how many responses are written together: so many files are open
// then, and as many again where evidence is kept.
const mostDrafts = 256

// keep stores responses and returns once each of them is durable, was not
// needed, or has failed. What comes while others are written is written as one
// batch after them: a disk takes long to promise that it keeps something, and
// not longer to promise it for many.
func (s *Store) keep(list ...*pending) {
	s.queueMu.Lock()
	s.queue = append(s.queue, list...)
	s.queueMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(list) == 0 || list[0].done { // by somebody who had the lock before; a list is in one batch
		return
	}
	s.queueMu.Lock()
	batch := s.queue
	s.queue = nil
	s.queueMu.Unlock()
	err := s.exclusively(func() error {
		for rest := batch; len(rest) > 0; {
			rest = s.write(rest)
		}
		return nil
	})
	for _, p := range batch {
		if p.done = true; err != nil {
			p.err = err
		}
		p.changed = p.changed && p.err == nil
	}
}

// write stores those of a batch that may be written together, one of an id, and
// returns the others. All are written before the first is synced, and synced
// before the first takes its place: so the file system has a few large things
// to promise in place of many small ones.
func (s *Store) write(batch []*pending) (rest []*pending) {
	seen := make(map[string]bool, len(batch))
	var now []*pending
	for _, p := range batch {
		if seen[p.st.ID] || len(now) == mostDrafts {
			rest = append(rest, p)
			continue
		}
		seen[p.st.ID] = true
		now = append(now, p)
	}
	drafts := make([]*draft, len(now))
	together(len(now), runtime.GOMAXPROCS(0), func(i int) { drafts[i], now[i].err = s.draft(now[i]) })
	kept := make([]evidence, len(now))
	together(len(now), runtime.GOMAXPROCS(0), func(i int) {
		if drafts[i] != nil {
			kept[i] = s.evidenceOf(now[i].st)
		}
	})
	s.keepDrafts(now, drafts, kept)
	together(len(now), syncers, func(i int) { kept[i].place(&s.folders) })
	_ = s.remember(now, kept) // who is told of it tries again
	changed := false
	for i, p := range now {
		if drafts[i] == nil || p.err != nil {
			continue
		}
		p.err = drafts[i].place()
		p.changed = p.err == nil
		changed = changed || p.changed
	}
	if !changed && !s.folders.Unsynced(s.stapleDir()) {
		return rest
	}
	if err := s.folders.Sync(s.stapleDir()); err != nil {
		for _, p := range now {
			p.err, p.changed = err, false
		}
	}
	for _, p := range now {
		if p.changed {
			s.lately.add(p.st)
		}
	}
	return rest
}

// keepDrafts makes the contents of a batch durable, and of its evidence, at once.
func (s *Store) keepDrafts(now []*pending, drafts []*draft, kept []evidence) {
	all := slices.Clone(drafts)
	for _, e := range kept {
		all = append(all, e.draft)
	}
	errs := keepAll(all)
	for i := range now {
		if errs[i] != nil {
			now[i].err = errs[i]
		}
		if err := errs[len(now)+i]; err != nil {
			kept[i].err = err
		}
	}
}

func (s *Store) stapleDir() string { return filepath.Join(s.dir, staples) }

// together does n things, up to most at a time.
func together(n, most int, do func(i int)) {
	var group errgroup.Group
	group.SetLimit(most)
	for i := range n {
		group.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = group.Wait() // each keeps its own error
}

// draft writes a response beside its place; nil if what is there stays.
func (s *Store) draft(p *pending) (*draft, error) {
	if !p.always {
		old, found, err := s.Staple(p.st.ID)
		if err == nil && found && !p.st.Meta.Supersedes(old.Meta) {
			return nil, nil
		}
	}
	b, err := p.st.Encode()
	if err != nil {
		return nil, err
	}
	path, err := s.path(staples, p.st.ID, ".json")
	if err != nil {
		return nil, err
	}
	return newDraft(path, b)
}
