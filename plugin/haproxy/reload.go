package haproxy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
)

const (
	reloadPoll = 100 * time.Millisecond
	// A connection can get lost in a process that is replaced, so the wait for
	// the new worker asks again soon.
	reloadPatience = 2 * time.Second
)

// Reload has HAProxy read its files again, by Config.Reload or through the
// master's socket, and returns nil only when another worker answers. After a
// failed reload the old worker goes on. A master does nothing to its worker
// before a new one has loaded the files, and from 2.7 on says so; before
// Config.Reload is run, or 2.6 is reloaded, "haproxy -c" has to agree, where
// HAProxy runs as the same user on this machine.
func (c *Client) Reload(ctx context.Context) error {
	before, err := c.state(ctx)
	command := len(c.config.Reload) > 0
	// The master of 2.6 gives no answer.
	if command || before.known && !before.info.atLeast(2, 7) {
		if err := c.wouldLoad(ctx, before); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.ReloadTimeout)
	defer cancel()
	switch {
	case command:
		err = c.runReload(ctx)
	case err != nil:
	case !before.info.Master:
		err = c.fail(KindNoReload, "", "there is no way to reload: set a reload command, or use the master's socket")
	default:
		err = c.reloadByMaster(ctx)
	}
	if err != nil {
		return err
	}
	return c.awaitWorker(ctx, before)
}

// CanReload reports whether there is a way to reload: the command, or the
// master's socket.
func (c *Client) CanReload(ctx context.Context) (bool, error) {
	if len(c.config.Reload) > 0 {
		return true, nil
	}
	info, err := c.Info(ctx)
	return info.Master, err
}

// state is what a reload changes. Before one, it may be unknown.
type state struct {
	known   bool
	info    Info
	reloads reloads // only through the master
}

func (c *Client) state(ctx context.Context) (state, error) {
	s, err := c.open(ctx)
	if err != nil {
		return state{}, err
	}
	defer s.close()
	now := state{known: true, info: s.info}
	if s.info.Master {
		answer, err := c.exchange(ctx, "show proc", "show proc")
		if err != nil {
			return state{}, err
		}
		if now.reloads, err = parseReloads(answer); err != nil {
			return state{}, c.answerError("show proc", answer)
		}
	}
	return now, nil
}

func (c *Client) stateWithin(ctx context.Context, timeout time.Duration) (state, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.state(ctx)
}

// reloadByMaster says "reload". Up to 2.6 the master closes without a word;
// later it answers with Success=1 or Success=0 and the start-up log.
func (c *Client) reloadByMaster(ctx context.Context) error {
	lock, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer (&session{c: c, lock: lock}).close()
	// 2.7 and later answer when it is done, which may take long.
	answer, err := c.exchangeWithin(ctx, c.config.ReloadTimeout, "reload", "reload")
	var e *Error
	if errors.As(err, &e) && e.Kind == KindSocket && strings.HasPrefix(e.Detail, "the connection ended") {
		return nil // 2.6
	}
	if err != nil {
		return err
	}
	if strings.Contains(answer, "Success=0") {
		return c.fail(KindReloadFailed, "reload", "HAProxy keeps the old worker: %s", alert(answer))
	}
	if !strings.Contains(answer, "Success=1") {
		return c.answerError("reload", answer)
	}
	return nil
}

// wouldLoad asks a new HAProxy, started as the one that answers, whether it
// would load the files. What can't be asked is left to the command.
func (c *Client) wouldLoad(ctx context.Context, now state) error {
	if !now.known || !filepath.IsAbs(c.config.Socket) {
		return nil
	}
	r, ok := masterOf(now.info.Pid)
	if !ok {
		return nil
	}
	err := r.check(ctx)
	if KindOf(err) != KindReloadFailed {
		return nil // nil, or it could not be asked
	}
	return &Error{Kind: KindReloadFailed, Socket: c.config.Socket, Detail: "HAProxy would not load its files", Err: err}
}

// runReload runs the configured command.
func (c *Client) runReload(ctx context.Context) error {
	name := c.config.Reload[0]
	out, err := program.Lines(ctx, program.Command{Args: c.config.Reload}, maxOutput)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return c.fail(KindReloadFailed, "", "the reload command %s did not end within %s: %s", name, c.config.ReloadTimeout, alert(out))
	}
	return &Error{Kind: KindReloadFailed, Socket: c.config.Socket,
		Detail: fmt.Sprintf("the reload command %s failed: %s", name, alert(out)), Err: err}
}

// awaitWorker asks until another worker answers. A command's success only
// says that HAProxy was told.
func (c *Client) awaitWorker(ctx context.Context, before state) error {
	tick := time.NewTicker(reloadPoll)
	defer tick.Stop()
	var last error // of the last answer that was not cut off by the end of the wait
	for {
		now, err := c.stateWithin(ctx, reloadPatience)
		switch {
		case err != nil && KindOf(err) != KindSocket && KindOf(err) != KindTimeout && KindOf(err) != KindLock:
			return err
		case err == nil && (!before.known || !now.info.Same(before.info)):
			return nil
		case err == nil && now.info.Master && now.reloads.tried > before.reloads.tried && now.reloads.failed > 0:
			err := c.fail(KindReloadFailed, "show proc", "HAProxy keeps the old worker %d (failed reloads: %d)", now.info.Pid, now.reloads.failed)
			// 2.6 says why in its log only.
			if err.Err = c.wouldLoad(ctx, before); err.Err == nil {
				err.Detail += "; its log says why"
			}
			return err
		}
		if err == nil {
			last = fmt.Errorf("worker %d still answers", now.info.Pid)
		} else if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &Error{Kind: KindReloadFailed, Socket: c.config.Socket, Err: last,
				Detail: fmt.Sprintf("no new worker within %s; HAProxy's log, or haproxy -c, says why", c.config.ReloadTimeout)}
		}
	}
}

// installByReload reloads and looks whether the response was read.
func (c *Client) installByReload(ctx context.Context, cert Certificate) (Outcome, error) {
	if err := c.Reload(ctx); err != nil {
		return Outcome{}, err
	}
	return c.Check(ctx, cert)
}

// Check asks whether HAProxy holds exactly this response, for a caller that
// reloads once for many certificates. How is HowReload.
func (c *Client) Check(ctx context.Context, cert Certificate) (Outcome, error) {
	s, err := c.open(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer s.close()
	if err := s.readBack(ctx, cert); err != nil {
		return Outcome{}, err
	}
	return Outcome{How: HowReload, Pid: s.info.Pid, Version: s.info.Version}, nil
}

// alert picks the line of an output that tells why.
func alert(output string) string {
	last := "it said nothing"
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "[ALERT]") {
			return shorten(line, 300)
		}
		if line != "" {
			last = shorten(line, 300)
		}
	}
	return last
}
