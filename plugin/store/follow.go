package store

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Publish stores verified responses: where there is no Consul, this is how
// they reach the delivering part of the same agent, or of another process on
// the same data_dir.
func (s *Store) Publish(ctx context.Context, list []record.Staple) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var missing []*pending
	for _, st := range list {
		// Most often whoever fetched it has stored it before.
		if s.lately.take(st) {
			continue
		}
		if old, found, err := s.Staple(st.ID); err != nil || !found || st.Meta.Supersedes(old.Meta) {
			missing = append(missing, &pending{st: st})
		}
	}
	s.keep(missing...)
	for _, p := range missing {
		if p.err != nil {
			return p.err
		}
	}
	return nil
}

// Follow hands deliver the stored responses that supersede what held says of
// the ids: at once, whenever one of their files changes, and when wake says
// that ids has others now. It ends with ctx.
func (s *Store) Follow(ctx context.Context, ids func() []string, held func(id string) (record.Meta, bool),
	deliver func(ctx context.Context, list []record.Staple), wake <-chan struct{}) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("data_dir: watch: %w", err)
	}
	defer watcher.Close()
	// The watch is on the folder: files in it are replaced, never rewritten.
	if err := watcher.Add(filepath.Join(s.dir, staples)); err != nil {
		return fmt.Errorf("data_dir: watch: %w", err)
	}
	all := true
	changed := map[string]bool{}
	for {
		var list []record.Staple
		for _, id := range ids() {
			if !all && !changed[id] {
				continue
			}
			if st, ok := s.newer(id, held); ok {
				list = append(list, st)
			}
		}
		if len(list) > 0 {
			deliver(ctx, list)
		}
		all, changed = false, map[string]bool{}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
			all = true
		case event := <-watcher.Events:
			if id, ok := strings.CutSuffix(filepath.Base(event.Name), ".json"); ok {
				changed[id] = true
			}
		case <-watcher.Errors:
			// Events were lost: look at everything.
			all = true
		}
	}
}

// newer is the stored response of id if it supersedes what is held.
func (s *Store) newer(id string, held func(id string) (record.Meta, bool)) (record.Staple, bool) {
	st, found, err := s.Staple(id)
	if err != nil || !found {
		return record.Staple{}, false
	}
	if old, ok := held(id); ok && !st.Meta.Supersedes(old) {
		return record.Staple{}, false
	}
	return st, true
}
