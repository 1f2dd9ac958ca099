package inventory

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// fresh is how long after a change a file's times may not tell it from another
// change: file systems round them, to 2 s at worst.
const fresh = 2 * time.Second

// seen is a file that was parsed, kept while the file is the same.
type seen[T any] struct {
	info  fs.FileInfo
	value T
	err   error
	round int // of the last use
}

// pemFile is what is kept of a PEM with a certificate.
type pemFile struct {
	leaf, issuer *x509.Certificate // issuer: nil where the PEM lacks it
}

// files reads and parses files, each again only when it has changed.
type files struct {
	now     func() time.Time
	round   int
	pems    map[string]*seen[pemFile]
	others  map[string]*seen[[]*x509.Certificate]
	authors map[string]*x509.Certificate // by DER: issuers are few and shared
}

func newFiles(now func() time.Time) *files {
	return &files{
		now: now, pems: map[string]*seen[pemFile]{}, others: map[string]*seen[[]*x509.Certificate]{},
		authors: map[string]*x509.Certificate{},
	}
}

// next begins a round; what the round before did not use is forgotten.
func (f *files) next() {
	for path, s := range f.pems {
		if s.round < f.round {
			delete(f.pems, path)
		}
	}
	for path, s := range f.others {
		if s.round < f.round {
			delete(f.others, path)
		}
	}
	f.round++
}

// pem is the leaf in a PEM and the issuer beside it, if it is there.
func (f *files) pem(path string) (pemFile, error) {
	return cached(f, f.pems, path, func(b []byte) (pemFile, error) {
		bundle, err := staple.ParseBundle(b)
		if err != nil {
			return pemFile{}, err
		}
		return pemFile{leaf: bundle.Leaf, issuer: f.share(staple.FindIssuer(bundle.Leaf, bundle.Others))}, nil
	})
}

// certificates are those of any file that holds some.
func (f *files) certificates(path string) ([]*x509.Certificate, error) {
	return cached(f, f.others, path, func(b []byte) ([]*x509.Certificate, error) {
		list, err := staple.ParseCertificates(b)
		for i, c := range list {
			list[i] = f.share(c)
		}
		return list, err
	})
}

// first is the first certificate of a PEM, which is all that HAProxy reads of
// an .issuer file.
func (f *files) first(path string) *x509.Certificate {
	b, _, err := read(path)
	if err != nil || !bytes.Contains(b, []byte("-----BEGIN")) {
		return nil
	}
	list, err := f.certificates(path)
	if err != nil || len(list) == 0 {
		return nil
	}
	return list[0]
}

// share gives one pointer for equal certificates.
func (f *files) share(c *x509.Certificate) *x509.Certificate {
	if c == nil {
		return nil
	}
	if known := f.authors[string(c.Raw)]; known != nil {
		return known
	}
	f.authors[string(c.Raw)] = c
	return c
}

func cached[T any](f *files, known map[string]*seen[T], path string, parse func([]byte) (T, error)) (T, error) {
	if s := known[path]; s != nil {
		fi, err := os.Stat(path)
		if err == nil && s.info != nil && unchanged(s.info, fi) {
			s.round = f.round
			return s.value, s.err
		}
	}
	delete(known, path)
	b, fi, err := read(path)
	if err != nil {
		var none T
		return none, err
	}
	s := &seen[T]{round: f.round}
	s.value, s.err = parse(b)
	if f.now().Sub(fi.ModTime()) > fresh {
		s.info = fi
	}
	known[path] = s
	return s.value, s.err
}

func unchanged(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// read reads a regular file of up to staple.MaxPEM bytes, through links.
func read(path string) ([]byte, fs.FileInfo, error) {
	// Not to wait for a pipe's other end.
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, cause(err)
	}
	defer r.Close()
	fi, err := r.Stat()
	if err != nil {
		return nil, nil, cause(err)
	}
	if !fi.Mode().IsRegular() {
		return nil, nil, errors.New("not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(r, staple.MaxPEM+1))
	if err != nil {
		return nil, nil, cause(err)
	}
	if len(b) > staple.MaxPEM {
		return nil, nil, fmt.Errorf("more than %d bytes", staple.MaxPEM)
	}
	return b, fi, nil
}

// cause leaves out the path, which the Problem has.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
