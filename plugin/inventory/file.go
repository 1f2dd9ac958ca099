package inventory

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/regularfile"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// fresh is how long after a change a file's times may not tell it from another
// change: file systems round them, to 2 s at worst.
const fresh = 2 * time.Second

// seen is a file that was parsed, kept while the file is the same.
type seen[T any] struct {
	file  stamp // zero: it may have changed unnoticed
	value T
	err   error
	round int // of the last use
	read  int // the round in which it was read
}

// pemFile is what is kept of a PEM with a certificate.
type pemFile struct {
	leaf, issuer *x509.Certificate // leaf: lean; issuer: nil where the PEM lacks it
	alone        bool              // the leaf is the only certificate
	id           string
	names        []string
	mustStaple   bool
	pair         *staple.Pair // of leaf and issuer; nil without issuer
}

// files reads and parses files, each again only when it has changed.
type files struct {
	now     func() time.Time
	round   int
	pems    map[string]*seen[pemFile]
	others  map[string]*seen[certFile]
	texts   map[string]*seen[string]
	sharing sync.Mutex                   // of authors
	authors map[string]*x509.Certificate // by DER: issuers are few and shared
}

func newFiles(now func() time.Time) *files {
	return &files{
		now: now, pems: map[string]*seen[pemFile]{}, others: map[string]*seen[certFile]{},
		texts:   map[string]*seen[string]{},
		authors: map[string]*x509.Certificate{},
	}
}

// next begins a round; what the round before did not use is forgotten.
func (f *files) next() {
	forget(f.pems, f.round)
	forget(f.others, f.round)
	forget(f.texts, f.round)
	f.round++
}

func forget[T any](known map[string]*seen[T], round int) {
	for path, s := range known {
		if s.round < round {
			delete(known, path)
		}
	}
}

// pem is the leaf in a PEM and the issuer beside it, if it is there.
func (f *files) pem(path string) (pemFile, error) {
	return cached(f, f.pems, path, f.readPEM)
}

// readPEM is pem of the file as it is now.
func (f *files) readPEM(path string) (*seen[pemFile], error) {
	return examine(f, path, staple.MaxPEM, func(b []byte) (pemFile, error) {
		bundle, err := staple.ParseBundleKnowing(b, f.author)
		if err != nil {
			return pemFile{}, err
		}
		leaf, found := bundle.Leaf, staple.FindPair(bundle.Leaf, bundle.Others)
		file := pemFile{
			alone: len(bundle.Others) == 0,
			id:    staple.ID(leaf), names: staple.Names(leaf), mustStaple: staple.MustStaple(leaf),
		}
		if found != nil {
			file.issuer = f.share(found.Issuer())
		}
		file.leaf = lean(leaf, file.issuer)
		if found != nil {
			file.pair = found.On(file.leaf, file.issuer)
		}
		return file, nil
	})
}

// lean is a leaf with its DER and those of its parsed fields that are asked for
// as long as its file is there: a node may have ten thousand, and the others take
// more memory than these. An issuer that is known lends its subject, which is the
// leaf's issuer.
func lean(leaf, issuer *x509.Certificate) *x509.Certificate {
	name := leaf.Issuer
	if issuer != nil {
		name = issuer.Subject
	}
	return &x509.Certificate{
		Raw: leaf.Raw, RawTBSCertificate: leaf.RawTBSCertificate, RawIssuer: leaf.RawIssuer, RawSubject: leaf.RawSubject,
		Signature: leaf.Signature, SignatureAlgorithm: leaf.SignatureAlgorithm, PublicKeyAlgorithm: leaf.PublicKeyAlgorithm,
		Issuer: name, SerialNumber: leaf.SerialNumber, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		OCSPServer: leaf.OCSPServer, IssuingCertificateURL: leaf.IssuingCertificateURL,
	}
}

// certFile is any file that holds certificates.
type certFile struct {
	list []*x509.Certificate
	pem  bool
}

// certificates are those of any file that holds some.
func (f *files) certificates(path string) ([]*x509.Certificate, error) {
	file, err := f.certFile(path)
	return file.list, err
}

func (f *files) certFile(path string) (certFile, error) {
	return cached(f, f.others, path, func(path string) (*seen[certFile], error) {
		return examine(f, path, staple.MaxPEM, func(b []byte) (certFile, error) {
			list, err := staple.ParseCertificates(b)
			for i, c := range list {
				list[i] = f.share(c)
			}
			return certFile{list, bytes.Contains(b, []byte("-----BEGIN"))}, err
		})
	})
}

// maxText bounds a configuration or a crt-list.
const maxText = 32 << 20

// text is a file of HAProxy's.
func (f *files) text(path string) (string, error) {
	return cached(f, f.texts, path, func(path string) (*seen[string], error) {
		return examine(f, path, maxText, func(b []byte) (string, error) { return string(b), nil })
	})
}

// first is the first certificate of a PEM, which is all that HAProxy reads of
// an .issuer file.
func (f *files) first(path string) *x509.Certificate {
	if path == "" {
		return nil
	}
	file, err := f.certFile(path)
	if err != nil || !file.pem || len(file.list) == 0 {
		return nil
	}
	return file.list[0]
}

// share gives one pointer for equal certificates.
func (f *files) share(c *x509.Certificate) *x509.Certificate {
	if c == nil {
		return nil
	}
	f.sharing.Lock()
	defer f.sharing.Unlock()
	if known := f.authors[string(c.Raw)]; known != nil {
		return known
	}
	f.authors[string(c.Raw)] = c
	return c
}

// author is the certificate of these bytes if it is shared already.
func (f *files) author(der []byte) *x509.Certificate {
	f.sharing.Lock()
	defer f.sharing.Unlock()
	return f.authors[string(der)]
}

func cached[T any](f *files, known map[string]*seen[T], path string, again func(path string) (*seen[T], error)) (T, error) {
	s := current(f, known[path], path)
	if s == nil {
		delete(known, path)
		var err error
		if s, err = again(path); err != nil {
			var none T
			return none, err
		}
		known[path] = s
	}
	s.round = f.round
	return s.value, s.err
}

// current is s if the file is still the one that was read; nil if it may be
// another. Within a round a file is read once: what happens to it meanwhile
// makes another round.
func current[T any](f *files, s *seen[T], path string) *seen[T] {
	if s == nil || s.read == f.round {
		return s
	}
	fi, err := os.Stat(path)
	if err == nil && s.file != (stamp{}) && s.file == stampOf(fi) {
		return s
	}
	return nil
}

// examine reads and parses a file. Several may be examined at a time.
func examine[T any](f *files, path string, limit int64, parse func([]byte) (T, error)) (*seen[T], error) {
	b, fi, err := read(path, limit)
	if err != nil {
		return nil, err
	}
	s := &seen[T]{round: f.round, read: f.round}
	s.value, s.err = parse(b)
	if f.now().Sub(fi.ModTime()) > fresh {
		s.file = stampOf(fi)
	}
	return s, nil
}

// stamp tells a file from another one, and from itself before a change.
type stamp struct {
	device, inode  uint64
	size, modified int64
}

func stampOf(fi fs.FileInfo) stamp {
	s := stamp{size: fi.Size(), modified: fi.ModTime().UnixNano()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode = uint64(st.Dev), st.Ino
	}
	return s
}

// read reads a regular file of up to limit bytes, through links.
func read(path string, limit int64) ([]byte, fs.FileInfo, error) {
	b, info, err := regularfile.Read(path, limit)
	return b, info, cause(err)
}

// cause leaves out the path, which the Problem has.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
