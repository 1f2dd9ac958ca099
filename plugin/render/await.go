package render

import (
	"context"
	"errors"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Await calls try until it gives a response, and again every so often while it
// says [ErrNone], for at most wait; any other error ends it at once. A wait of 0
// means once. The first try has all of ctx, later ones are cut when wait is
// over. The error is that of the last try that was not cut. It returns early
// when ctx ends. An every of 0 or less means a second.
func Await(ctx context.Context, wait, every time.Duration, try func(ctx context.Context) (*staple.Facts, error)) (*staple.Facts, error) {
	if every <= 0 {
		every = time.Second
	}
	bounded, cancel := context.WithTimeout(ctx, max(wait, 0))
	defer cancel()
	facts, err := try(ctx)
	if err == nil || wait <= 0 {
		return facts, err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for errors.Is(err, ErrNone) {
		select {
		case <-bounded.Done():
			return nil, err
		case <-tick.C:
		}
		facts, again := try(bounded)
		if again == nil {
			return facts, nil
		}
		if bounded.Err() != nil {
			// What a cut try says is about the cut, not about the staple.
			return nil, err
		}
		err = again
	}
	return nil, err
}
