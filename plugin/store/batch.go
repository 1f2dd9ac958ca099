package store

import (
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// writers is how many files of a batch are written and synced at a time: the
// file system and the disk do together what is asked for at the same time.
const writers = 32

// pending is a response on its way to the disk.
type pending struct {
	st record.Staple
	// always: whatever is stored.
	always bool

	done, changed bool
	err           error
}

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
// returns the others.
func (s *Store) write(batch []*pending) (rest []*pending) {
	seen := make(map[string]bool, len(batch))
	var now []*pending
	for _, p := range batch {
		if seen[p.st.ID] {
			rest = append(rest, p)
			continue
		}
		seen[p.st.ID] = true
		now = append(now, p)
	}
	var group errgroup.Group
	group.SetLimit(writers)
	for _, p := range now {
		group.Go(func() error {
			p.changed, p.err = s.replaceStaple(p)
			return nil
		})
	}
	_ = group.Wait() // each has its own error
	changed := false
	for _, p := range now {
		changed = changed || p.changed
	}
	if !changed {
		return rest
	}
	if err := syncFolder(filepath.Join(s.dir, staples)); err != nil {
		for _, p := range now {
			p.err = err
		}
	}
	return rest
}

// replaceStaple writes a file if it has to be written. Its name is durable once
// the folder is synced.
func (s *Store) replaceStaple(p *pending) (changed bool, err error) {
	if !p.always {
		old, found, err := s.Staple(p.st.ID)
		if err == nil && found && !p.st.Meta.Supersedes(old.Meta) {
			return false, nil
		}
	}
	b, err := p.st.Encode()
	if err != nil {
		return false, err
	}
	path, err := s.path(staples, p.st.ID, ".json")
	if err != nil {
		return false, err
	}
	return true, writeFile(path, b)
}
