package testca

import (
	"crypto/x509"
	"math/big"
	"net/http"
	"sync"
	"time"
)

// spoiler makes one fault for a responder, and keeps what it needs from one
// request to the next. Its methods may be called concurrently.
type spoiler struct {
	ca    *CA
	fault fault

	mu     sync.Mutex
	left   int // requests still to spoil; -1: all
	signer *Issued
	sent   map[string]*page
}

func newSpoiler(c *CA, f fault, n int) *spoiler {
	if n == 0 {
		n = -1
	}
	return &spoiler{ca: c, fault: f, left: n, sent: map[string]*page{}}
}

// next gives the fault for the next request: the zero fault when all goes well.
func (s *spoiler) next() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 {
		return fault{}
	}
	if s.left > 0 {
		s.left--
	}
	return s.fault
}

// keep gives what first gave the first time: a
// key takes its time.
func (s *spoiler) keep(first func() (*Issued, error)) (*Issued, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signer != nil {
		return s.signer, nil
	}
	var err error
	s.signer, err = first()
	return s.signer, err
}

// delegate gives a signer that the CA certified. The certificate is nowhere
// written, and not in the index.
func (s *spoiler) delegate(o IssueOptions, change func(*x509.Certificate)) (*Issued, error) {
	return s.keep(func() (*Issued, error) {
		o.Delegate, o.Template = true, change
		return s.ca.sign([]string{"ocsp-signer"}, o)
	})
}

// stranger gives a signer that has nothing to do with the CA but, perhaps, its
// name.
func (s *spoiler) stranger(name string) (*Issued, error) {
	return s.keep(func() (*Issued, error) { return newStranger(name, s.ca.now) })
}

func newStranger(name string, now func() time.Time) (*Issued, error) {
	key, err := newKey(ECDSA)
	if err != nil {
		return nil, err
	}
	other := &CA{key: key, now: now}
	cert, err := other.signCA(InitOptions{Name: name})
	return &Issued{Name: name, Leaf: cert, Key: key}, err
}

// exchange is one request with its answer.
type exchange struct {
	*spoiler
	fault fault
	w     http.ResponseWriter
	req   *http.Request
	now   time.Time
	// serial and expires are of the certificate asked for; zero where it is not
	// known.
	serial  *big.Int
	expires time.Time
	page    *page
}

// send spoils the page and sends it.
func (x *exchange) send() {
	if x.fault.change != nil {
		if err := x.fault.change(x); err != nil {
			http.Error(x.w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if x.fault.send != nil {
		x.fault.send(x)
		return
	}
	x.page.send(x.w)
}
