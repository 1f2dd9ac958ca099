package event

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Settings say who is told of what.
type Settings struct {
	// Command gets each event as JSON on its standard input and as environment
	// variables; empty: none is run.
	Command []string
	// Webhook is the URL to which each event is posted as JSON; empty: none.
	Webhook string
	// Events are the kinds that are told.
	Events []string
	// Timeout bounds one run of the command and one request.
	Timeout time.Duration
}

// Enabled reports whether anybody is to be told of anything.
func (s Settings) Enabled() bool {
	return (len(s.Command) > 0 || s.Webhook != "") && len(s.Events) > 0
}

// Memory keeps what was told, for who tells next.
type Memory interface {
	Told(context.Context) (record.Told, error)
	KeepTold(context.Context, record.Told) error
}

// Config is what a Teller is made from; all but Now and UserAgent is required.
type Config struct {
	// Node is who tells.
	Node string
	// Settings are asked for at each use, so that they may change.
	Settings  func() Settings
	Memory    Memory
	Logger    hclog.Logger
	UserAgent string
	Now       func() time.Time
}

// Counts are totals since the Teller was made: for each event one for the command
// and one for the webhook.
type Counts struct {
	// Sent were told, Failed given up after some tries, Dropped not queued.
	Sent, Failed, Dropped uint64
}

// Teller finds out what is news, and tells it. Its methods may be called
// concurrently; those that observe don't wait for anything.
type Teller struct {
	c     Config
	sinks []*sink

	mu sync.Mutex
	// told is what was told, or waits to be; kept what is in the memory.
	told, kept record.Told
	read       bool
	counts     Counts
	full       bool // the last event was dropped; said once
	unkept     bool // the memory could not be written; said once, by the keeper
	// keep has an entry when kept has changed.
	keep chan struct{}
}

// keepFor is how long what was told of a certificate is kept after nobody wants
// a response for it any more.
const keepFor = 24 * time.Hour

// New makes a Teller. It tells nothing before Run, or Flush, has read the memory.
func New(c Config) *Teller {
	if c.Now == nil {
		c.Now = func() time.Time { return time.Now().Round(0) }
	}
	t := &Teller{c: c, keep: make(chan struct{}, 1)}
	t.sinks = []*sink{newSink(t, "command", sendCommand), newSink(t, "webhook", newWebhook(c.UserAgent).send)}
	return t
}

// Counts are the totals so far.
func (t *Teller) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// load reads the memory, once. What can't be read is told again.
func (t *Teller) load(ctx context.Context) {
	told, err := t.c.Memory.Told(ctx)
	if err != nil {
		t.c.Logger.Warn("what was told of events can't be read; it may be told again", "error", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if told.Certificates == nil {
		told.Certificates = map[string]record.ToldState{}
	}
	t.told, t.read = told, true
	t.kept = told
	t.kept.Certificates = maps.Clone(told.Certificates)
}

// Observe tells what of these certificates is news. All says that they are all
// certificates for which responses are fetched. The sequence is gone through at
// once, or not at all.
func (t *Teller) Observe(certificates iter.Seq[Observation], all bool) {
	settings, now := t.c.Settings(), t.c.Now()
	if !settings.Enabled() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.read {
		return
	}
	var found []Event
	wanted := map[string]bool{}
	for o := range certificates {
		state := o.state(now)
		last, known := t.told.Certificates[o.ID]
		if known {
			wanted[o.ID] = true
		}
		if o.Planned && state == stateRevoked {
			continue
		}
		if kind := o.news(state, last); kind != "" {
			found = append(found, o.event(kind, state, now, t.c.Node))
		} else if last.State == stateOK && !o.ThisUpdate.Before(last.ThisUpdate) {
			t.forget(o.ID) // all is well, and what was before can't come back
		}
	}
	slices.SortStableFunc(found, func(a, b Event) int { return cmp.Compare(a.urgency(), b.urgency()) })
	for _, e := range found {
		t.tell(settings, e)
	}
	if all {
		t.forgetOthers(wanted, now)
	}
}

// Leader tells that the node of this Teller leads, if another one did before.
func (t *Teller) Leader() {
	settings := t.c.Settings()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !settings.Enabled() || !t.read || t.told.Leader == t.c.Node {
		return
	}
	message := t.c.Node + " leads"
	if t.told.Leader != "" {
		message += ", which " + clean(t.told.Leader) + " did before"
	}
	t.tell(settings, Event{
		Format: Format, Event: Leader, Time: t.c.Now().UTC().Truncate(time.Second), Node: t.c.Node, Message: message,
	})
}

// tell queues an event for all who are to be told. What can't be queued was not
// told. The caller holds the lock.
func (t *Teller) tell(settings Settings, e Event) {
	d := &delivery{event: e}
	var queues []*sink
	if slices.Contains(settings.Events, e.Event) {
		for _, s := range t.sinks {
			if s.wanted(settings) {
				queues = append(queues, s)
			}
		}
	}
	for _, s := range queues {
		if len(s.queue) == cap(s.queue) {
			t.counts.Dropped++
			if !t.full {
				t.full = true
				t.c.Logger.Error("too many events wait; what is dropped is told when there is room", "to", s.name, "event", e.Event, "waiting", len(s.queue))
			}
			return
		}
	}
	t.full = false
	t.remember(&t.told, e)
	d.left = len(queues)
	for _, s := range queues {
		s.queue <- d // has room: only this sends, under the lock
	}
	if d.left == 0 {
		t.confirm(e) // nobody wants to know, and nobody is to hear of it later
	}
}

// finished is called by a sink that is done with a delivery.
func (t *Teller) finished(d *delivery, sent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sent {
		t.counts.Sent++
	} else {
		t.counts.Failed++
	}
	if d.left--; d.left == 0 {
		t.confirm(d.event)
	}
}

// confirm has an event kept as told.
func (t *Teller) confirm(e Event) {
	t.remember(&t.kept, e)
	t.wakeKeeper()
}

func (t *Teller) remember(told *record.Told, e Event) {
	switch e.Event {
	case Leader:
		told.Leader = e.Node
		return
	case Canary:
		return // who finds it out keeps that it was told
	}
	told.Certificates[e.ID] = record.ToldState{State: e.State, ThisUpdate: e.ThisUpdate, At: e.Time}
}

func (t *Teller) forget(id string) {
	delete(t.told.Certificates, id)
	if _, ok := t.kept.Certificates[id]; ok {
		delete(t.kept.Certificates, id)
		t.wakeKeeper()
	}
}

// forgetOthers forgets certificates that are not wanted any more, after a while.
func (t *Teller) forgetOthers(wanted map[string]bool, now time.Time) {
	for id, s := range t.told.Certificates {
		if !wanted[id] && now.Sub(s.At) > keepFor {
			t.forget(id)
		}
	}
}

func (t *Teller) wakeKeeper() {
	select {
	case t.keep <- struct{}{}:
	default: // awake already
	}
}

// save writes the memory.
func (t *Teller) save(ctx context.Context) {
	t.mu.Lock()
	kept := t.kept
	kept.Certificates = maps.Clone(t.kept.Certificates)
	t.mu.Unlock()
	if err := t.c.Memory.KeepTold(ctx, kept); err != nil && ctx.Err() == nil {
		level := hclog.Warn
		if t.unkept {
			level = hclog.Debug // it was said
		}
		t.unkept = true
		t.c.Logger.Log(level, "what was told of events is not kept; it may be told again", "error", err)
		return
	}
	t.unkept = false
}
