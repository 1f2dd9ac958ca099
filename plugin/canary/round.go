package canary

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// revoke runs the command of a round that was just kept as begun.
func (l *Leader) revoke(ctx context.Context) (time.Duration, error) {
	l.log.Info("canary is revoked", "id", l.state.Round.ID, "nodes", len(l.state.Round.Nodes))
	err := l.run(ctx, l.Settings.Revoke)
	if ctx.Err() != nil {
		return 0, ctx.Err() // the next leader goes on
	}
	if err != nil {
		l.fail(ReasonRevoke, err.Error())
		// It may have been revoked all the same.
		return time.Millisecond, l.enter(ctx, record.CanaryRenewing, l.Settings.Within)
	}
	return time.Millisecond, l.enter(ctx, record.CanaryRevoked, l.Settings.Within)
}

// revoked waits until every node's client has seen it, or the time is over.
func (l *Leader) revoked(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	changed, err := l.published(ctx, now)
	if err != nil {
		return 0, err
	}
	r := &l.state.Round
	if !r.Published.IsZero() {
		gathered, err := l.gather(ctx, now, func(n record.CanaryNode) bool { return !n.Seen.IsZero() })
		if err != nil {
			return 0, err
		}
		changed = changed || gathered
	}
	missing := missing(r.Nodes, func(n record.CanaryNode) bool { return !n.Seen.IsZero() })
	switch {
	case !r.Published.IsZero() && missing == "":
		l.log.Info("canary is seen revoked on every node", "after", now.Sub(r.Started).Round(time.Millisecond))
	case now.Before(r.Until):
		if changed {
			return l.pause(), l.keep(ctx)
		}
		return l.pause(), nil
	case r.Published.IsZero():
		l.fail(ReasonUnpublished, fmt.Sprintf("the responder has not said revoked within %v", l.Settings.Within))
	default:
		l.fail(ReasonUnseen, missing)
	}
	return time.Millisecond, l.enter(ctx, record.CanaryRenewing, l.Settings.Within)
}

// published notes when the response that says revoked was.
func (l *Leader) published(ctx context.Context, now time.Time) (changed bool, err error) {
	r := &l.state.Round
	if !r.Published.IsZero() {
		return false, nil
	}
	m, found, err := l.Board.Meta(ctx, r.ID)
	if err != nil || !found || m.Status != "revoked" {
		return false, err
	}
	r.Published = now
	if at := m.Published; at.After(r.Started) && at.Before(now) {
		r.Published = at
	}
	return true, nil
}

// renew runs the command, once.
func (l *Leader) renew(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := l.run(ctx, l.Settings.Renew)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err() // the next leader does it again
	case err == nil:
		l.retries = 0
		l.log.Info("canary is renewed")
		l.state.Round.Renewed = began
		return time.Millisecond, l.enter(ctx, record.CanaryRenewed, l.Settings.Within)
	}
	l.retries++
	again := min(l.Settings.Within/10, time.Minute<<min(l.retries-1, 4))
	if has(l.state.Round.Failures, ReasonRenew) {
		level := hclog.Debug
		if l.retries&(l.retries-1) == 0 { // ever more seldom
			level = hclog.Warn
		}
		l.log.Log(level, "canary is not renewed yet", "reason", ReasonRenew, "error", err, "failures", l.retries, "retry_in", again)
		return again, nil
	}
	l.fail(ReasonRenew, err.Error())
	return again, l.keep(ctx)
}

// renewed waits until every node's client is shown a good response.
func (l *Leader) renewed(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	good := func(n record.CanaryNode) bool { return !n.Good.IsZero() }
	changed, err := l.gather(ctx, now, good)
	if err != nil {
		return 0, err
	}
	r := &l.state.Round
	switch missing := missing(r.Nodes, good); {
	case missing == "":
	case now.Before(r.Until):
		if changed {
			return l.pause(), l.keep(ctx)
		}
		return l.pause(), nil
	default:
		l.fail(ReasonNotGood, missing)
	}
	return time.Millisecond, l.end(ctx, now)
}

// end ends a round. The certificate that it was of counts as replaced where there
// is another.
func (l *Leader) end(ctx context.Context, now time.Time) error {
	r := &l.state.Round
	r.Phase, r.Until, r.Ended = record.CanaryEnded, time.Time{}, now
	var kept []string
	known := l.Known()
	for _, id := range l.state.Replaced {
		if known[id] {
			kept = append(kept, id)
		}
	}
	if c, found := l.Certificate(); found && c.ID != r.ID {
		kept = append(kept, r.ID[:record.IDPrefix])
	}
	l.state.Replaced = kept
	if len(r.Failures) == 0 {
		l.state.Success = now
		l.log.Info("canary's round is over", "after", now.Sub(r.Started).Round(time.Millisecond))
		if l.state.Last != nil && len(l.state.Last.Failures) > 0 {
			l.Tell(Failure{Job: l.Settings.Job, Name: l.Settings.Name, ID: r.ID})
		}
	}
	return l.keep(ctx)
}

func has(failures []record.CanaryFailure, reason string) bool {
	for _, f := range failures {
		if f.Reason == reason {
			return true
		}
	}
	return false
}
