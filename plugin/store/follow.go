package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
		if old, found, err := s.Staple(st.ID); err != nil || !found || st.Meta.Supersedes(old.Meta) || s.folders.Unsynced(s.stapleDir()) {
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
	look := lookout{store: s, held: held, seen: map[string]glance{}}
	all := true
	changed := map[string]bool{}
	for {
		var list []record.Staple
		for _, id := range ids() {
			if !all && !changed[id] {
				continue
			}
			if st, ok := look.newer(id); ok {
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
			// Many come together where many certificates are fetched.
			for more := true; more; {
				if id, ok := strings.CutSuffix(filepath.Base(event.Name), ".json"); ok {
					changed[id] = true
				}
				select {
				case event = <-watcher.Events:
				default:
					more = false
				}
			}
		case <-watcher.Errors:
			// Events were lost: look at everything.
			all = true
		}
	}
}

// lookout looks at stored responses, and not again at those that it knows.
type lookout struct {
	store *Store
	held  func(id string) (record.Meta, bool)
	seen  map[string]glance // by id
}

// glance is which file was read when, and which response was in it. An agent may
// have ten thousand.
type glance struct {
	inode    uint64
	modified int64
	response [16]byte // the checksum's beginning
}

// newer is the stored response of id if it supersedes what is held. A file is
// read again only if another one is in its place, or if its response was not
// taken.
func (l *lookout) newer(id string) (record.Staple, bool) {
	path, err := l.store.path(staples, id, ".json")
	if err != nil {
		return record.Staple{}, false
	}
	file, err := os.Stat(path)
	if err != nil {
		delete(l.seen, id)
		return record.Staple{}, false
	}
	old, ok := l.held(id)
	if g, known := l.seen[id]; known && ok && g == glanceAt(file, old) {
		return record.Staple{}, false
	}
	st, found, err := l.store.Staple(id)
	if err != nil || !found {
		return record.Staple{}, false
	}
	l.seen[id] = glanceAt(file, st.Meta)
	if ok && !st.Meta.Supersedes(old) {
		return record.Staple{}, false
	}
	return st, true
}

// glanceAt is what a file that holds this response looks like.
func glanceAt(file os.FileInfo, m record.Meta) glance {
	g := glance{modified: file.ModTime().UnixNano()}
	if st, ok := file.Sys().(*syscall.Stat_t); ok {
		g.inode = st.Ino
	}
	copy(g.response[:], m.SHA256)
	return g
}
