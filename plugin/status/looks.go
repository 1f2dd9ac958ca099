package status

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// To look at the places of a certificate opens connections to servers: however
// many ask, one look goes on at a time, so many begin in a second, and what one
// found is told for a while.
const (
	keepLook     = 10 * time.Second
	lookTimeout  = 15 * time.Second
	looksASecond = 4
	// mostLooks may be waited for at a time; they are also what is kept.
	mostLooks = 64
)

// errCrowded says that others are looked at.
var errCrowded = errors.New("too many certificates are being looked at: ask again in some seconds")

// looks answers by id with what look found.
type looks struct {
	ctx   context.Context
	look  func(ctx context.Context, id string) (Here, error)
	has   func(id string) (node string, yes bool) // nil: it may
	turn  chan struct{}                           // one at a time
	limit *rate.Limiter

	mu   sync.Mutex
	byID map[string]*oneLook
}

// oneLook is one that goes on, or went on.
type oneLook struct {
	done  chan struct{} // closed when found and err are set
	found Here
	err   error
	until time.Time // zero: it goes on
}

func newLooks(ctx context.Context, look func(context.Context, string) (Here, error)) *looks {
	return &looks{
		ctx: ctx, look: look, turn: make(chan struct{}, 1), limit: rate.NewLimiter(looksASecond, looksASecond), byID: map[string]*oneLook{},
	}
}

// show answers with what is there for a certificate.
func (l *looks) show(w http.ResponseWriter, r *http.Request, id string) {
	if l.look == nil {
		fail(w, r, http.StatusNotFound, "nobody looks at anything here")
		return
	}
	if l.has != nil {
		// What is not here takes nobody's turn, however many invent ids.
		if node, yes := l.has(id); !yes {
			nothingHere(w, r, node)
			return
		}
	}
	here, err := l.get(r.Context(), id)
	switch {
	case err != nil:
		fail(w, r, http.StatusServiceUnavailable, err.Error())
	case len(here.Files) == 0:
		nothingHere(w, r, here.Node)
	default:
		encoded(struct {
			Format int `json:"format"`
			Here
		}{Format, here}).write(w, r, http.StatusOK)
	}
}

func nothingHere(w http.ResponseWriter, r *http.Request, node string) {
	fail(w, r, http.StatusNotFound, node+" has no file with this certificate: ask a node that has one")
}

// get is what is there for a certificate, now or some seconds ago.
func (l *looks) get(ctx context.Context, id string) (Here, error) {
	one, err := l.of(id)
	if err != nil {
		return Here{}, err
	}
	select {
	case <-one.done:
		return one.found, one.err
	case <-ctx.Done():
		return Here{}, ctx.Err()
	}
}

// of is a look at a certificate that is not old; it may just begin.
func (l *looks) of(id string) (*oneLook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for other, one := range l.byID {
		if !one.until.IsZero() && !now.Before(one.until) {
			delete(l.byID, other)
		}
	}
	if one := l.byID[id]; one != nil {
		return one, nil
	}
	if len(l.byID) >= mostLooks && !l.dropOne() {
		return nil, errCrowded
	}
	one := &oneLook{done: make(chan struct{})}
	l.byID[id] = one
	go l.run(id, one) // ends with l.ctx
	return one, nil
}

// dropOne forgets the oldest look that has ended, and reports whether there was
// one. The caller holds mu.
func (l *looks) dropOne() bool {
	oldest := ""
	for id, one := range l.byID {
		if !one.until.IsZero() && (oldest == "" || one.until.Before(l.byID[oldest].until)) {
			oldest = id
		}
	}
	delete(l.byID, oldest)
	return oldest != ""
}

func (l *looks) run(id string, one *oneLook) {
	found, err := l.inTurn(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	one.found, one.err, one.until = found, err, time.Now().Add(keepLook)
	close(one.done)
}

func (l *looks) inTurn(id string) (Here, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-l.ctx.Done():
		return Here{}, l.ctx.Err()
	}
	if err := l.limit.Wait(l.ctx); err != nil {
		return Here{}, err
	}
	ctx, cancel := context.WithTimeout(l.ctx, lookTimeout)
	defer cancel()
	return l.look(ctx, id)
}
