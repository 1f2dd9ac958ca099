package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/regularfile"
)

// KeptResponse is a response of a history, as it is on the disk: nothing is
// verified.
type KeptResponse struct {
	DER []byte
	// File is where DER is; ThisUpdate and SHA256 are what its name says.
	File       string
	ThisUpdate time.Time
	SHA256     string
	Notes      record.Kept
	// Wrong are files of it that are not what they should be.
	Wrong []error
}

// folderNames are what there is in the folder of a certificate.
type folderNames struct {
	kept    []string // responses, without ending, oldest first
	half    []string // files that are not finished
	alone   []string // notes whose response is gone
	foreign []string // files that nobody of us wrote
}

func keptNames(folder string) (n folderNames, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, fmt.Errorf("data_dir: %w", err)
	}
	noted := map[string]bool{}
	for _, e := range entries {
		name, der := strings.CutSuffix(e.Name(), ".der")
		name, notes := strings.CutSuffix(name, ".json")
		_, _, ours := parseKeptName(name)
		switch {
		case strings.HasPrefix(e.Name(), "."):
			n.half = append(n.half, e.Name())
		case e.Name() == keptCertificate:
		case ours && notes && !der:
			noted[name] = true
		case ours && der && !notes:
			n.kept = append(n.kept, name)
		default:
			n.foreign = append(n.foreign, e.Name())
		}
	}
	for _, name := range n.kept {
		delete(noted, name)
	}
	for name := range noted {
		n.alone = append(n.alone, name+".json")
	}
	slices.Sort(n.kept)
	return n, nil
}

// HasKeptCertificate tells whether there is one.
func (s *Store) HasKeptCertificate(id string) bool {
	folder, err := s.path(histories, id, "")
	if err != nil {
		return false
	}
	_, err = os.Lstat(filepath.Join(folder, keptCertificate))
	return err == nil
}

// KeptCertificate is the PEM of a certificate that has a history, and its file.
func (s *Store) KeptCertificate(id string) (pem []byte, file string, err error) {
	folder, err := s.path(histories, id, "")
	if err != nil {
		return nil, "", err
	}
	file = filepath.Join(folder, keptCertificate)
	pem, _, err = regularfile.Read(file, maxKeptFile)
	return pem, file, err
}

// Histories are the ids of the certificates that have one.
func (s *Store) Histories() ([]string, error) {
	if _, err := os.Lstat(filepath.Join(s.dir, histories)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return s.ids(histories, "")
}

// NewestKept is the newest response of a certificate's history, by its name.
func (s *Store) NewestKept(id string) (thisUpdate time.Time, sha256 string, found bool) {
	folder, err := s.path(histories, id, "")
	if err != nil {
		return time.Time{}, "", false
	}
	names, err := keptNames(folder)
	if err != nil || len(names.kept) == 0 {
		return time.Time{}, "", false
	}
	return parseKeptName(names.kept[len(names.kept)-1])
}

// KeptHistory is the history of a certificate as it is on the disk.
type KeptHistory struct {
	Responses []KeptResponse // the newest first
	All       int            // how many there are, of which these are the newest
	Foreign   []string       // files in the folder that are none of a history
}

// Kept is a certificate's history, with most of its responses at most; 0: all.
// A response that can't be read is there with what is wrong.
func (s *Store) Kept(id string, most int) (KeptHistory, error) {
	return s.KeptWhere(id, most, func(KeptResponse) bool { return true })
}

// KeptWhere is Kept with those of these responses alone that are wanted, which is
// asked of each, the newest first: no others stay in memory.
func (s *Store) KeptWhere(id string, most int, wanted func(KeptResponse) bool) (h KeptHistory, err error) {
	folder, err := s.path(histories, id, "")
	if err != nil {
		return h, err
	}
	names, err := keptNames(folder)
	if err != nil {
		return h, err
	}
	for _, name := range names.foreign {
		h.Foreign = append(h.Foreign, filepath.Join(folder, name))
	}
	h.All = len(names.kept)
	slices.Reverse(names.kept)
	if most > 0 && h.All > most {
		names.kept = names.kept[:most]
	}
	for _, name := range names.kept {
		r, ok := readKept(filepath.Join(folder, name))
		switch {
		case !ok:
			h.All-- // removed meanwhile: newer ones have come
		case wanted(r):
			h.Responses = append(h.Responses, r)
		}
	}
	return h, nil
}

// readKept reads a response and its notes; false where it is no more.
func readKept(path string) (KeptResponse, bool) {
	r := KeptResponse{File: path + ".der"}
	r.ThisUpdate, r.SHA256, _ = parseKeptName(filepath.Base(path))
	der, _, err := regularfile.Read(r.File, record.MaxDER)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, false
	case err != nil:
		r.Wrong = append(r.Wrong, err)
	case record.Checksum(der) != r.SHA256:
		r.Wrong = append(r.Wrong, fmt.Errorf("%s: damaged: its SHA-256 is %s", r.File, record.Checksum(der)))
	}
	r.DER = der
	if r.Notes, err = readNotes(path + ".json"); err != nil {
		r.Wrong = append(r.Wrong, err)
	}
	return r, true
}

// readNotes reads what is noted; nothing where there is no file.
func readNotes(path string) (record.Kept, error) {
	b, _, err := regularfile.Read(path, maxKeptFile)
	if errors.Is(err, fs.ErrNotExist) {
		return record.Kept{}, nil
	}
	if err != nil {
		return record.Kept{}, err
	}
	notes, err := record.DecodeKept(b)
	if err != nil {
		return record.Kept{}, fmt.Errorf("%s: damaged: %w", path, err)
	}
	return notes, nil
}
