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
	// nobody counts how often in a row no node had the canary when a round was due.
	nobody int
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
			l.sober(l.began)
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

// sober takes out of what was kept what no leader with a clock that is right could
// have meant: a phase that lasts longer than one may, which would leave the canary
// revoked for as long, and counters of what can't fail.
func (l *Leader) sober(now time.Time) {
	most := now.Add(l.Settings.Within)
	if l.state.Round.Phase == record.CanaryRevoking {
		most = most.Add(l.Settings.Timeout)
	}
	if r := &l.state.Round; r.Active() && r.Until.After(most) {
		r.Until = most
	}
	known := map[string]bool{}
	for _, r := range Reasons() {
		known[r.Reason] = true
	}
	failures := maps.Clone(l.state.Failures)
	maps.DeleteFunc(failures, func(reason string, _ uint64) bool { return !known[reason] })
	l.state.Failures = failures
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
