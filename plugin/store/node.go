package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func (s *Store) nodePath() string { return filepath.Join(s.dir, "node.json") }

// PutNode keeps what the node says of itself: for as long as Consul can't be
// told, or where there is none.
func (s *Store) PutNode(n record.Node) error {
	b, err := n.Encode()
	if err != nil {
		return err
	}
	return s.locked(func() error { return s.replace(s.nodePath(), b) })
}

// Node is what was kept; found is false where there is nothing, or nothing
// that can be read.
func (s *Store) Node() (node *record.Node, found bool, err error) {
	b, err := os.ReadFile(s.nodePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	n, err := record.DecodeNode("", b)
	if err != nil {
		return nil, false, err
	}
	return &n, true, nil
}

// ForgetNode removes what was kept of the node, and why its own fetches failed.
func (s *Store) ForgetNode() error {
	return s.locked(func() error {
		failed, err := s.ids(troubles, ".json")
		for _, id := range failed {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, troubles, id+".json")))
		}
		if removed := os.Remove(s.nodePath()); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
		return err
	})
}
