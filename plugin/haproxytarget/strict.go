package haproxytarget

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// strictAge is how long an answer counts, also that none came: every file that
	// waits for a first response asks, and there may be ten thousand.
	strictAge = 5 * time.Second
	// strictTimeout bounds one question, so that a socket that hangs, or is
	// another's for long, holds no file up.
	strictTimeout = 5 * time.Second
)

// strictness knows whether a HAProxy does not start with warnings. It may be asked
// concurrently; one of those asks HAProxy, the others wait for what comes of it.
type strictness struct {
	ask    func(ctx context.Context) (bool, error)
	turn   chan struct{} // one token: who may ask, and use asked
	asked  time.Time     // when somebody did last
	strict atomic.Bool   // the last answer
}

func newStrictness(ask func(ctx context.Context) (bool, error)) *strictness {
	return &strictness{ask: ask, turn: make(chan struct{}, 1)}
}

// now is the last answer, asked for anew if it is old; false if there never was
// one.
func (s *strictness) now(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return s.strict.Load()
	}
	defer func() { <-s.turn }()
	if ctx.Err() != nil || !s.asked.IsZero() && time.Since(s.asked) < strictAge {
		return s.strict.Load()
	}
	question, cancel := context.WithTimeout(ctx, strictTimeout)
	defer cancel()
	strict, err := s.ask(question)
	if err == nil {
		s.strict.Store(strict)
	}
	if ctx.Err() == nil { // else whoever asked had no time for an answer
		s.asked = time.Now()
	}
	return s.strict.Load()
}

// Strict reports whether HAProxy does not start with warnings; the last answer
// counts while it is down.
func (t *Target) Strict(ctx context.Context) bool { return t.strict.now(ctx) }
