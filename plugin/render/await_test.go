package render

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

func TestAwait(t *testing.T) {
	none, fatal := &NoneError{ID: "a"}, errors.New("broken")
	for _, c := range []struct {
		name string
		wait time.Duration
		// tries are the errors of one try after the other; the last goes on.
		tries []error
		took  time.Duration
		asked int
		err   error
	}{
		{"there at once", 0, []error{nil}, 0, 1, nil},
		{"once", 0, []error{none, nil}, 0, 1, ErrNone},
		{"a negative wait is none", -1, []error{none, nil}, 0, 1, ErrNone},
		{"comes", time.Minute, []error{none, none, nil}, 4 * time.Second, 3, nil},
		{"never comes", 9 * time.Second, []error{none}, 9 * time.Second, 5, ErrNone},
		{"a wait below every", time.Second, []error{none, nil}, time.Second, 1, ErrNone},
		{"hopeless at once", time.Minute, []error{fatal}, 0, 1, fatal},
		{"hopeless later", time.Minute, []error{none, fatal}, 2 * time.Second, 2, fatal},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, asked := time.Now(), 0
				f, err := Await(t.Context(), c.wait, 2*time.Second, func(context.Context) (*staple.Facts, error) {
					err := c.tries[min(asked, len(c.tries)-1)]
					asked++
					if err != nil {
						return nil, err
					}
					return &staple.Facts{}, nil
				})
				if !errors.Is(err, c.err) || (f != nil) != (c.err == nil) {
					t.Errorf("%v, %v; want %v", f, err, c.err)
				}
				if took := time.Since(start); took != c.took || asked != c.asked {
					t.Errorf("%d tries in %s, want %d in %s", asked, took, c.asked, c.took)
				}
			})
		})
	}
}

func TestAwaitTellsWhyNotThatItWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none, asked, start := &NoneError{ID: "a"}, 0, time.Now()
		_, err := Await(t.Context(), 5*time.Second, 2*time.Second, func(ctx context.Context) (*staple.Facts, error) {
			if asked++; asked == 1 {
				return nil, none
			}
			<-ctx.Done()
			return nil, &NoneError{ID: "a", Reasons: []error{ctx.Err()}}
		})
		if err != error(none) || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := Await(ctx, time.Hour, 0, func(context.Context) (*staple.Facts, error) { return nil, &NoneError{} })
		if !errors.Is(err, ErrNone) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}
