package event

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxQueue is how many events wait for one sink.
	maxQueue = 1000
	// maxTries is how often an event is tried, over some two minutes.
	maxTries = 8
	maxPause = time.Minute
)

// delivery is one event on its way to one or two sinks.
type delivery struct {
	event Event
	left  int // sinks that are not done with it; under the Teller's lock
}

// errPermanent is wrapped by errors that no other try repairs.
var errPermanent = errors.New("not tried again")

// sink carries events to a command or a webhook, one at a time and in order.
type sink struct {
	t     *Teller
	name  string
	queue chan *delivery
	// send tells one event, given as JSON too, within settings.Timeout.
	send func(ctx context.Context, settings Settings, e Event, text []byte) error
	// pause is how long to wait after so many failures of one event.
	pause func(failures int) time.Duration
	// failing says that the log knows of events that don't get through, lost how
	// many were given up since one did.
	failing bool
	lost    int
}

func newSink(t *Teller, name string, send func(context.Context, Settings, Event, []byte) error) *sink {
	return &sink{t: t, name: name, queue: make(chan *delivery, maxQueue), send: send, pause: backoff}
}

// backoff doubles from a second to a minute, times 0.5 to 1.5.
func backoff(failures int) time.Duration {
	d := min(time.Second<<min(failures-1, 6), maxPause)
	return time.Duration((0.5 + rand.Float64()) * float64(d))
}

func (s *sink) wanted(settings Settings) bool {
	if s.name == "command" {
		return len(settings.Command) > 0
	}
	return settings.Webhook != ""
}

// run tells what is queued, until ctx ends; or, where finish is closed, until
// nothing waits.
func (s *sink) run(ctx context.Context, finish <-chan struct{}) {
	for ctx.Err() == nil {
		select {
		case d := <-s.queue:
			s.deliver(ctx, d)
			continue
		default:
		}
		select {
		case d := <-s.queue:
			s.deliver(ctx, d)
		case <-finish:
			return
		case <-ctx.Done():
		}
	}
}

// deliver tries until it worked, or can't. After the end of ctx the event counts
// as not told.
func (s *sink) deliver(ctx context.Context, d *delivery) {
	log := s.t.c.Logger.With("to", s.name, "event", d.event.Event)
	if d.event.ID != "" {
		log = log.With("id", d.event.ID)
	}
	text, err := json.Marshal(d.event)
	for tries := 1; err == nil; tries++ {
		settings := s.t.c.Settings()
		if !s.wanted(settings) {
			s.t.finished(d, false) // the configuration has changed meanwhile
			return
		}
		failure := s.send(ctx, settings, d.event, text)
		switch {
		case failure == nil:
			log.Debug("event is told", "message", d.event.Message)
			s.works()
			s.t.finished(d, true)
			return
		case ctx.Err() != nil:
			return
		case tries == maxTries || errors.Is(failure, errPermanent):
			err = failure
		case tries == 1:
			level := hclog.Warn
			if s.failing {
				level = hclog.Debug // of what fails the log knows
			}
			s.failing = true
			log.Log(level, "event could not be told; it is tried again", "error", failure)
		}
		if err == nil && !sleep(ctx, s.pause(tries)) {
			return
		}
	}
	s.failing = true
	s.lost++
	level, message := hclog.Error, "event could not be told; it is given up"
	switch {
	case s.lost > mostLost:
		level = hclog.Debug
	case s.lost == mostLost:
		message += "; more of these are logged at debug level, and counted"
	}
	log.Log(level, message, "message", d.event.Message, "error", err)
	s.t.finished(d, false)
}

// mostLost is how many events in a row that are given up are errors by name.
const mostLost = 3

// works says that events get through again, where the log knows that they did not.
func (s *sink) works() {
	if s.failing {
		s.t.c.Logger.Info("events are told again", "to", s.name, "given_up", s.lost)
	}
	s.failing, s.lost = false, 0
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
