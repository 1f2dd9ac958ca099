package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/consul-ocsp/consul-ocsp/plugin"
)

// statusEvery is how often systemd is told what the agent does, where no
// watchdog sets the pace.
const statusEvery = 10 * time.Second

// notifier tells systemd how the agent is, in the words of sd_notify(3), as
// units of Type=notify and notify-reload want it. Where systemd did not start
// the program it does nothing. It belongs to the goroutine that runs the agent.
//
// The agent is ready with its first sign of life, which says that certificates
// were read. With a watchdog each further sign is passed on; an agent that
// gives none any more is ended by systemd, with the stacks of all goroutines in
// the journal.
type notifier struct {
	logger   hclog.Logger
	agent    *plugin.Agent
	watchdog bool
	// ready and over are whether it was said that the agent is, or stops.
	ready, over bool
	// status is what was said last; refused, that the newest configuration is
	// not what the agent runs on.
	status, refused string

	// ticks is when to ask for a sign of life; nil without systemd.
	ticks <-chan time.Time
	// signs has the text of the sign that was asked for.
	signs  chan string
	asking bool
	ctx    context.Context // of the question
	stop   func()          // ends ticks and ctx
}

// newNotifier begins to ask the agent, which is about to run. Call stop at the
// end.
func newNotifier(e environment, agent *plugin.Agent, logger hclog.Logger) *notifier {
	n := &notifier{logger: logger, agent: agent, stop: func() {}, signs: make(chan string, 1)}
	if socket, ok := e.lookup("NOTIFY_SOCKET"); !ok || socket == "" {
		return n
	}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		logger.Warn("systemd's watchdog is not served", "error", err)
	}
	every := statusEvery
	if interval > 0 {
		n.watchdog, every = true, interval/2
	}
	ctx, cancel := context.WithCancel(context.Background())
	ticker := time.NewTicker(max(every, time.Millisecond))
	n.ticks, n.ctx, n.stop = ticker.C, ctx, func() { ticker.Stop(); cancel() }
	n.tell("STATUS=starting")
	n.ask()
	return n
}

// ask asks the agent for a sign of life, unless one is still to come.
func (n *notifier) ask() {
	if n.asking {
		return
	}
	n.asking = true
	go func() { // ends with the sign, or with ctx; an agent that hangs keeps it
		if text, err := n.agent.Alive(n.ctx); err == nil {
			n.signs <- text
		}
	}()
}

// alive passes a sign of life on.
func (n *notifier) alive(text string) {
	n.asking = false
	if n.over {
		return
	}
	state := ""
	if !n.ready {
		n.ready = true
		state = daemon.SdNotifyReady + "\n"
	}
	if n.watchdog {
		state += daemon.SdNotifyWatchdog + "\n"
	}
	if text = n.refused + text; text != n.status {
		n.status = text
		state += "STATUS=" + text + "\n"
	}
	if state != "" {
		n.tell(state)
	}
}

// reloading says that the configuration is about to be read again.
func (n *notifier) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		n.logger.Warn("systemd is not told of the reload", "error", err)
		return
	}
	n.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d\nSTATUS=reading the configuration again", daemon.SdNotifyReloading, now.Nano()/1000))
}

// reloaded says what came of it. An agent that was not ready yet says so later.
func (n *notifier) reloaded(err error) {
	n.refused, n.status = "", "configuration reloaded"
	if err != nil {
		n.refused = "the configuration is refused, the old one goes on; "
		n.status = n.refused + "see the log"
	}
	state := "STATUS=" + n.status
	if n.ready {
		state = daemon.SdNotifyReady + "\n" + state
	}
	n.tell(state)
}

// stopping says that the agent is about to end, and why.
func (n *notifier) stopping(why string) {
	if n.over {
		return
	}
	n.over = true
	n.stop()
	n.tell(daemon.SdNotifyStopping + "\nSTATUS=" + strings.ReplaceAll(why, "\n", " "))
}

// tell sends one message. That nobody takes it is no reason to end.
func (n *notifier) tell(state string) {
	if n.ticks == nil {
		return
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.logger.Debug("systemd does not take a message", "error", err)
	}
}
