// Package store is data_dir: the last verified response of each certificate,
// kept over restarts, and without Consul the whole of what a fetching and a
// delivering agent share.
//
// A response is one file that is replaced as a whole (temporary file, fsync,
// rename, fsync of the folder), so that a crash leaves the old or the new one.
// What is read back is well formed and no more: whoever uses it verifies it
// again. An older response never replaces a newer one, whoever writes it and
// from whichever process: writers of one data_dir hold a lock on it for the
// moment of writing.
//
// The layout below data_dir:
//
//	staple/<id>.json    the response and its meta
//	trouble/<id>.json   why the last fetches failed
//	issuer/<id>.der     an issuer certificate found through the leaf's AIA
//	history/<id>/       responses kept as evidence
//	told.json           what was told of events, without Consul
//	canary/<job>.json   how a job's canary is, without Consul
//	instance            a random word, made once
//	node.json           what the node says of itself while it can't tell Consul
//	lock                held while one of the above is replaced
//	sync/<hash>         held while the command sync works (not this package's)
package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Store is one data_dir. Its methods may be called concurrently, also by
// several processes.
type Store struct {
	dir string
	// looking: the data_dir is another process's, who makes its folders and lock.
	looking bool
	// mu serialises writers within the process; the lock file those of several.
	mu sync.Mutex

	// queue are the responses that the next writer takes along.
	queueMu sync.Mutex
	queue   []*pending
	// lately are what this process has stored, until it is published.
	lately recent
	// folders are those below data_dir, and it.
	folders foldersync.Folders

	history History
	// noteMu serialises those who note within the process.
	noteMu sync.Mutex
}

const (
	staples  = "staple"
	troubles = "trouble"
	issuers  = "issuer"
	canaries = "canary"
	told     = "told.json"
)

// Open opens the data_dir, made with mode 0700 where it is absent; dir is an
// absolute path.
func Open(dir string) (*Store, error) {
	for _, d := range []string{dir, filepath.Join(dir, staples), filepath.Join(dir, troubles), filepath.Join(dir, issuers)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("data_dir: %w", err)
		}
	}
	return &Store{dir: dir, folders: foldersync.Folders{Do: syncFolder}}, nil
}

// Look opens the data_dir of an agent to read from it, and makes no folders and
// no lock: those that another user made first would be closed to the agent. A
// data_dir that is absent holds nothing, and can't be written to.
func Look(dir string) *Store {
	return &Store{dir: dir, looking: true, folders: foldersync.Folders{Do: syncFolder}}
}

// Staple is the stored response of a certificate; found is false where there
// is none. A file that can't be read as one is an error, and stays until a
// good one replaces it.
func (s *Store) Staple(id string) (st record.Staple, found bool, err error) {
	b, found, err := s.read(staples, id, ".json")
	if err != nil || !found {
		return record.Staple{}, false, err
	}
	st, err = record.DecodeStaple(id, b)
	if err != nil {
		return record.Staple{}, false, fmt.Errorf("data_dir: %w", err)
	}
	return st, true, nil
}

// Put stores a verified response if it supersedes the stored one, and reports
// whether it did. A stored file that can't be read is superseded by any.
func (s *Store) Put(st record.Staple) (changed bool, err error) {
	p := &pending{st: st}
	s.keep(p)
	return p.changed, p.err
}

// Replace stores a verified response whatever is stored. It is for one case:
// what is stored failed verification, so that its thisUpdate means nothing.
func (s *Store) Replace(st record.Staple) error {
	p := &pending{st: st, always: true}
	s.keep(p)
	return p.err
}

// Metas are the metas of all stored responses by id; files that can't be read
// are left out.
func (s *Store) Metas() (map[string]record.Meta, error) {
	ids, err := s.ids(staples, ".json")
	if err != nil {
		return nil, err
	}
	metas := make(map[string]record.Meta, len(ids))
	for _, id := range ids {
		if st, found, err := s.Staple(id); err == nil && found {
			metas[id] = st.Meta
		}
	}
	return metas, nil
}

// Issuer is the DER of an issuer certificate that was found for a leaf.
func (s *Store) Issuer(id string) (der []byte, found bool, err error) {
	return s.read(issuers, id, ".der")
}

// PutIssuer keeps the DER of the issuer certificate of a leaf.
func (s *Store) PutIssuer(id string, der []byte) error {
	return s.locked(func() error { return s.put(issuers, id, ".der", der) })
}

// Instance is the word that tells this data_dir from every other; made at the
// first call.
func (s *Store) Instance() (instance string, err error) {
	path := filepath.Join(s.dir, "instance")
	err = s.locked(func() error {
		b, err := os.ReadFile(path)
		if instance = strings.TrimSpace(string(b)); err == nil && record.ValidName(instance) {
			return s.folders.Settle(s.dir)
		}
		var word [16]byte
		rand.Read(word[:]) // never fails, by its documentation
		instance = hex.EncodeToString(word[:])
		return s.replace(path, []byte(instance+"\n"))
	})
	return instance, err
}

func (s *Store) path(kind, id, ending string) (string, error) {
	if !record.ValidID(id) {
		return "", fmt.Errorf("data_dir: %.80q is not an id", id)
	}
	return filepath.Join(s.dir, kind, id+ending), nil
}

func (s *Store) read(kind, id, ending string) ([]byte, bool, error) {
	path, err := s.path(kind, id, ending)
	if err != nil {
		return nil, false, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("data_dir: %w", err)
	}
	return b, true, nil
}

func (s *Store) put(kind, id, ending string, b []byte) error {
	path, err := s.path(kind, id, ending)
	if err != nil {
		return err
	}
	return s.replace(path, b)
}

// ids are the ids that have a file of this kind.
func (s *Store) ids(kind, ending string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, kind))
	if s.looking && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, found := strings.CutSuffix(e.Name(), ending); found && record.ValidID(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// locked runs change while no other process writes to data_dir.
func (s *Store) locked(change func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exclusively(change)
}

// exclusively is locked for a caller that holds mu.
func (s *Store) exclusively(change func() error) error {
	how := os.O_RDWR
	if !s.looking {
		how |= os.O_CREATE
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), how, 0o600)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	defer f.Close() // releases the lock
	if err := flock(f); err != nil {
		return err
	}
	return change()
}
