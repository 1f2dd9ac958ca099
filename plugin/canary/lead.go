package canary

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Board is where rounds are kept, and where nodes tell how far they are.
type Board interface {
	// Canary is what was kept; one with the job alone if there is nothing.
	Canary(ctx context.Context, job string) (record.Canary, error)
	// KeepCanary replaces that, unless somebody else leads by now.
	KeepCanary(ctx context.Context, c record.Canary) error
	// Nodes are the records of these nodes, of all for a nil list.
	Nodes(ctx context.Context, names []string) (map[string]record.Node, error)
	// Meta is what is published of a certificate's response.
	Meta(ctx context.Context, id string) (m record.Meta, found bool, err error)
}

// Settings are those of a canary block.
type Settings struct {
	Job, Name     string
	Revoke, Renew []string
	// Every is from one round's start to the next. Within is how long nodes may
	// take to show what is new, Timeout how long a command.
	Every, Within, Timeout time.Duration
}

// Certificate is the one that is the canary now.
type Certificate struct {
	ID string
	// Path is this node's file of it, "" where it has none.
	Path string
	// Shared names what else has this certificate; "" for nothing.
	Shared string
}

// Failure is something that went wrong with a canary, or that nothing does any
// more: then its Reason is empty.
type Failure struct {
	Job, Name, ID string
	Reason, Error string
}

// Config is what a Leader is made from.
type Config struct {
	Settings Settings
	Board    Board
	// Certificate is the canary's newest; false if none is known.
	Certificate func() (Certificate, bool)
	// Known are the certificates for which responses are fetched, by the first
	// record.IDPrefix digits of their ids.
	Known func() map[string]bool
	// Tell is called once for each Failure.
	Tell   func(Failure)
	Logger hclog.Logger
}

// Leader keeps the schedule of one canary. Its Run is called once.
type Leader struct {
	Config
	log   hclog.Logger
	state record.Canary
	// began is when this leader did: a first round is due then.
	began time.Time
	// retries counts the failures of renew in a row.
	retries int
}

// New makes a Leader.
func New(c Config) *Leader {
	return &Leader{Config: c, log: c.Logger.With("job", c.Settings.Job, "certificate", c.Settings.Name)}
}

// retry is how long to wait after the board has failed.
const retry = 5 * time.Second

// Run goes on with what was kept, until stop is closed or ctx ends. A command that
// runs ends with ctx only.
func (l *Leader) Run(ctx context.Context, stop <-chan struct{}) {
	read, complained := false, ""
	for ctx.Err() == nil {
		wait, err := retry, error(nil)
		if !read {
			l.state, err = l.Board.Canary(ctx, l.Settings.Job)
			read, l.began = err == nil, time.Now()
		}
		if read {
			l.state.Name = l.Settings.Name
			wait, err = l.step(ctx)
		}
		if err != nil && ctx.Err() == nil && complained != err.Error() {
			complained = err.Error()
			l.log.Warn("the canary waits", "error", err)
		}
		if err != nil {
			// What was not kept may have been, or another leader may have done more.
			read, wait = false, retry
		} else {
			complained = ""
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-stop:
			timer.Stop()
			return
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// pause is how long to wait before it is looked again how far a round is.
func (l *Leader) pause() time.Duration {
	return min(max(l.Settings.Within/200, time.Second), 30*time.Second)
}

// step does what is next, and says when to look again. An error is the board's.
func (l *Leader) step(ctx context.Context) (wait time.Duration, err error) {
	if !l.state.Round.Active() {
		return l.rest(ctx)
	}
	switch l.state.Round.Phase {
	case record.CanaryRevoking:
		// Another leader has begun, and whether it came to an end nobody knows.
		l.fail(ReasonRevoke, "the leader that ran it was gone before it ended")
		return time.Millisecond, l.enter(ctx, record.CanaryRevoked, l.Settings.Within)
	case record.CanaryRevoked:
		return l.revoked(ctx)
	case record.CanaryRenewing:
		return l.renew(ctx)
	}
	return l.renewed(ctx)
}

// enter begins a phase, which may last so long.
func (l *Leader) enter(ctx context.Context, phase string, most time.Duration) error {
	l.state.Round.Phase, l.state.Round.Until = phase, time.Now().Add(most)
	return l.keep(ctx)
}

func (l *Leader) keep(ctx context.Context) error { return l.Board.KeepCanary(ctx, l.state) }

// fail notes and tells what went wrong; it is kept with what is kept next.
func (l *Leader) fail(reason, text string) {
	f := record.CanaryFailure{Reason: reason, Error: text, At: time.Now()}
	failures := maps.Clone(l.state.Failures)
	if failures == nil {
		failures = map[string]uint64{}
	}
	failures[reason]++
	l.state.Failures = failures
	if reason == ReasonUnready {
		l.state.Unready = &f
	} else {
		l.state.Round.Failures = append(l.state.Round.Failures, f)
	}
	l.log.Error("canary failed", "reason", reason, "error", text)
	l.Tell(Failure{Job: l.Settings.Job, Name: l.Settings.Name, ID: l.state.Round.ID, Reason: reason, Error: text})
}

// run runs a command, which is told what it is for.
func (l *Leader) run(ctx context.Context, command []string) error {
	c, _ := l.Certificate()
	path := c.Path
	if c.ID != l.state.Round.ID {
		path = "" // another one by now
	}
	env := []string{
		"CONSUL_OCSP_ID=" + l.state.Round.ID, "CONSUL_OCSP_JOB=" + l.Settings.Job,
		"CONSUL_OCSP_NAME=" + l.Settings.Name, "CONSUL_OCSP_CERT=" + path,
	}
	output, err := program.Run(ctx, command, env, nil, l.Settings.Timeout)
	if err != nil && output != "" {
		return fmt.Errorf("%w: %s", err, output)
	}
	return err
}

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
