package status

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// How long a view is shown before another is read: so that however many ask,
// reading costs Consul and the agent a tenth of their time at most.
const (
	keepAtLeast = 2 * time.Second
	keepAtMost  = 30 * time.Second
	keepTimes   = 10
	// keepFailed is for a view that was not read from where it should be.
	keepFailed = 10 * time.Second
	// forgetAfter is when a view that nobody asks for goes.
	forgetAfter = time.Minute
)

// views keeps the newest view, and reads another when somebody asks and it is
// old: one read at a time, which all who ask meanwhile wait for.
type views struct {
	ctx  context.Context
	read func(context.Context) (*Report, error)

	mu      sync.Mutex
	last    *view // nil: none
	lastErr error
	until   time.Time     // as long as last is shown
	reading chan struct{} // closed when the read that goes on has ended; nil: none does
	forget  *time.Timer
}

func newViews(ctx context.Context, read func(context.Context) (*Report, error)) *views {
	return &views{ctx: ctx, read: read}
}

// show is the view to show. Where there is none it answers why, and is nil.
func (v *views) show(w http.ResponseWriter, r *http.Request) *view {
	got, err := v.get(r.Context())
	if got == nil {
		fail(w, r, http.StatusServiceUnavailable, err.Error())
	}
	return got
}

// get is a view that is not old; nil with an error where there is none.
func (v *views) get(ctx context.Context) (*view, error) {
	for {
		v.mu.Lock()
		if time.Now().Before(v.until) {
			defer v.mu.Unlock()
			return v.last, v.lastErr
		}
		if v.reading == nil {
			v.reading = make(chan struct{})
			go v.renew(v.reading) // ends with v.ctx
		}
		reading := v.reading
		v.mu.Unlock()
		select {
		case <-reading:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// renew reads another view.
func (v *views) renew(done chan struct{}) {
	defer close(done)
	began := time.Now()
	report, err := v.read(v.ctx)
	took := time.Since(began)
	keep := min(max(keepTimes*took, keepAtLeast), keepAtMost)
	if err != nil {
		keep = max(keep, keepFailed)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last, v.lastErr = nil, err
	if report != nil {
		if err != nil {
			report.SetError(err)
		}
		v.last = &view{report: report}
	}
	v.reading, v.until = nil, time.Now().Add(keep)
	if v.forget == nil {
		v.forget = time.AfterFunc(forgetAfter, v.drop)
	} else {
		v.forget.Reset(forgetAfter)
	}
}

// drop forgets a view that is old.
func (v *views) drop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Now().After(v.until) {
		v.last = nil
	}
}
