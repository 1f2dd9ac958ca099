package plugin

import (
	"context"
	"fmt"
	"time"
)

// aliveAgain is how often Alive looks whether the loop that it waits for is
// still meant to run.
const aliveAgain = 100 * time.Millisecond

// Alive returns when the agent has shown that it works: the certificates were
// read, each loop that ties the parts together has answered, and each lock that
// the others work under could be taken. The text says in a line what the agent
// does, for people. An error is ctx's end; but where a lock is held for ever
// Alive does not return, so that it must not be waited for.
func (a *Agent) Alive(ctx context.Context) (text string, err error) {
	for ctx.Err() == nil {
		p := a.parts()
		if p.alive(ctx, func() bool { return a.parts() == p }) {
			return p.text(), nil
		}
	}
	return "", ctx.Err()
}

// parts are the current ones.
func (a *Agent) parts() *parts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

// alive asks all loops of p; false when ctx has ended, or p is not current.
func (p *parts) alive(ctx context.Context, current func() bool) bool {
	if !sign(ctx, current, p.read, nil) || !sign(ctx, current, nil, p.askWatch) {
		return false
	}
	fetching := func() bool { return current() && p.fetching.Load() != nil }
	// A term that ends meanwhile need not answer.
	return !fetching() || sign(ctx, fetching, nil, p.askFetch) || ctx.Err() == nil && current()
}

// sign waits until done is closed or a loop receives from ask, while it is
// wanted.
func sign(ctx context.Context, wanted func() bool, done <-chan struct{}, ask chan<- struct{}) bool {
	tick := time.NewTicker(aliveAgain)
	defer tick.Stop()
	for ctx.Err() == nil && wanted() {
		select {
		case <-done:
			return true
		case ask <- struct{}{}:
			return true
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return false
}

// text says what the agent does now.
func (p *parts) text() string {
	deliver := p.settings.Load().Config.HasRole("deliver")
	n := p.tally()
	text := "standing by"
	if f := p.fetching.Load(); f != nil {
		text = fmt.Sprintf("fetching, certificates: %d", f.Len())
	} else if deliver {
		text = "following"
	}
	if deliver {
		text += fmt.Sprintf("; stapled here: %d of %d", n.Stapled, n.Certificates)
	}
	if p.alone.Load() != nil {
		text += "; fetching for itself"
	}
	if n.Troubles > 0 {
		text += fmt.Sprintf("; in trouble: %d", n.Troubles)
	}
	return text
}
