package haproxytarget

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

const (
	// reloadGather is how long staples are gathered for one reload.
	reloadGather = 2 * time.Second
	// reloadPatience is how long a certificate without any staple waits for
	// other nodes that failed, or for a Consul that does not answer.
	reloadPatience = 10 * time.Minute
	// askSoonest and askLatest are between two questions for a turn. Chance
	// makes the order of the nodes.
	askSoonest, askLatest = time.Second, 8 * time.Second
)

// reloadRules are when a HAProxy may be reloaded.
type reloadRules struct {
	interval time.Duration
	most     int
	gather   time.Duration
	mark     string        // a file whose time is that of the last reload, kept over restarts
	turns    func() *Turns // nil: nobody to ask
	now      func() time.Time
}

// waiting is a certificate whose response HAProxy gets only from its file.
type waiting struct {
	cert   haproxy.Certificate
	loaded haproxy.Held // what it holds instead
	// tried is what the last reload should have brought, and did not.
	tried *haproxy.Certificate
}

// pressing tells whether HAProxy has to be reloaded for it now. The half that
// is left of a good staple's life is time enough for another reload to come
// along; a reload that did not help is not tried again for the same response.
func (w *waiting) pressing(now time.Time) bool {
	switch {
	case w.tried != nil:
		return w.tried.Revoked != w.cert.Revoked || !bytes.Equal(w.tried.OCSP, w.cert.OCSP) && used(w.tried.ThisUpdate, w.tried.NextUpdate, now) >= 0.5
	case !w.loaded.Present, w.loaded.Revoked != w.cert.Revoked:
		return true
	}
	return used(w.loaded.ThisUpdate, w.loaded.NextUpdate, now) >= 0.5
}

// urgent tells whether it can't wait for what others have to mend.
func (w *waiting) urgent(now, since time.Time) bool {
	if !w.loaded.Present {
		return now.Sub(since) >= reloadPatience
	}
	return w.cert.Revoked || used(w.loaded.ThisUpdate, w.loaded.NextUpdate, now) >= 0.75
}

// used is the share of a response's life that is over.
func used(from, to, now time.Time) float64 {
	return float64(now.Sub(from)) / float64(max(to.Sub(from), 1))
}

// await has c wait for a reload. It returns why, instead, if a reload did not
// help already.
func (t *Target) await(ctx context.Context, c haproxy.Certificate, why error) error {
	held, err := t.client.Held(ctx, c.CertID)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.waiting[c.Path]
	if w == nil || w.cert.FingerprintSHA1 != c.FingerprintSHA1 {
		w = &waiting{}
		if len(t.waiting) == 0 {
			t.since = t.reload.now()
		}
		t.waiting[c.Path] = w
	}
	w.cert, w.loaded = c, held
	if w.tried != nil && !w.pressing(t.reload.now()) {
		return why
	}
	return nil
}

// settle ends the wait for a certificate.
func (t *Target) settle(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, path)
}

// Commit reloads HAProxy if something waits that presses, the last reload is
// long enough ago, and the other nodes leave it a turn.
func (t *Target) Commit(ctx context.Context, last bool) (writer.Commitment, error) {
	urgent, due := t.due(last)
	if !due {
		return writer.Commitment{}, nil
	}
	if left := t.reload.interval - t.reload.now().Sub(t.reloaded()); left > 0 {
		if !last {
			return writer.Commitment{}, nil
		}
		return writer.Commitment{}, failure(t.fail(haproxy.KindReloadWaits, fmt.Sprintf("the response is served after the next reload, which waits %s for min_interval", left.Round(time.Second))))
	}
	done, err := t.reload.turns().take(ctx, t, urgent)
	if done == nil {
		t.later()
		if err == nil && last {
			err = t.fail(haproxy.KindReloadWaits, "other nodes reload; this one's turn has not come")
		}
		if err != nil {
			return writer.Commitment{}, failure(err)
		}
		return writer.Commitment{}, nil
	}
	level := hclog.Info
	if t.failing.times > 0 {
		level = hclog.Debug
	}
	t.logger.Log(level, "reloading HAProxy", "target", t.name, "socket", t.socket, "certificates", t.count())
	err = t.client.Reload(ctx)
	t.note()
	done(err)
	t.failing.log(t, string(haproxy.KindOf(err)), err)
	if err != nil {
		return writer.Commitment{}, failure(err)
	}
	return writer.Commitment{Done: true, Wrong: t.check(ctx)}, nil
}

// reloadFailing is what the log was told of reloads that fail: the next one fails
// the same way as a rule, a minute later. It belongs to the target's teller.
type reloadFailing struct {
	said  []string // the reasons
	since time.Time
	times int // in a row
}

// log says that a reload failed, where that or why is news, and the first that
// does not.
func (f *reloadFailing) log(t *Target, reason string, err error) {
	now := t.reload.now()
	switch {
	case err == nil && f.times > 0:
		t.logger.Info("HAProxy is reloaded again", "target", t.name, "was", strings.Join(f.said, ","), "failures", f.times, "after", now.Sub(f.since).Round(time.Second))
		*f = reloadFailing{}
	case err == nil:
	default:
		level := hclog.Debug
		if !slices.Contains(f.said, reason) {
			level, f.said = hclog.Error, append(f.said, reason)
		}
		if f.times == 0 {
			f.since = now
		}
		f.times++
		t.logger.Log(level, "HAProxy was not reloaded and goes on with what it has", "target", t.name, "reason", reason, "error", err)
	}
}

// due tells whether something presses, and whether it is urgent.
func (t *Target) due(last bool) (urgent, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.reload.now()
	if !last && (now.Sub(t.since) < t.reload.gather || now.Before(t.ask)) {
		return false, false
	}
	for _, w := range t.waiting {
		if w.pressing(now) {
			due = true
			urgent = urgent || w.urgent(now, t.since)
		}
	}
	return urgent, due
}

// later puts off the next question for a turn.
func (t *Target) later() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ask = t.reload.now().Add(askSoonest + rand.N(askLatest-askSoonest))
}

func (t *Target) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}

// check is what a reload did not bring, by path. It waits on, for another reload
// when that presses, or for somebody who mends HAProxy's configuration.
func (t *Target) check(ctx context.Context) map[string]error {
	t.mu.Lock()
	list := make([]*waiting, 0, len(t.waiting))
	for _, w := range t.waiting {
		list = append(list, w)
	}
	t.mu.Unlock()
	wrong := map[string]error{}
	for _, w := range list {
		err := t.asItShould(ctx, w.cert)
		if err == nil {
			t.settle(w.cert.Path)
			continue
		}
		wrong[w.cert.Path] = failure(err)
		t.mu.Lock()
		tried := w.cert
		w.tried = &tried
		t.mu.Unlock()
	}
	return wrong
}

// reloaded is when the last reload was tried, by this process or an earlier one.
func (t *Target) reloaded() time.Time {
	fi, err := os.Stat(t.reload.mark)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}

// note keeps the time of a reload, also of one that failed: the next would fail
// the same way.
func (t *Target) note() {
	now := t.reload.now()
	err := os.MkdirAll(filepath.Dir(t.reload.mark), 0o700)
	if err == nil {
		err = os.WriteFile(t.reload.mark, nil, 0o600)
	}
	if err == nil {
		err = os.Chtimes(t.reload.mark, now, now)
	}
	level := hclog.Warn
	if t.unmarked {
		level = hclog.Debug // it was said
	}
	if t.unmarked = err != nil; t.unmarked {
		t.logger.Log(level, "the time of the last reload is not kept", "target", t.name, "reason", writer.ReasonStore, "error", err)
	}
}
