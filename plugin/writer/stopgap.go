package writer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

const (
	// loadable is the least life with which a file is left to a HAProxy that stops
	// at a warning: it warns of one with less than 5 min (ssl_ocsp.c,
	// OCSP_MAX_RESPONSE_TIME_SKEW), and is not to be caught while it starts.
	loadable = 6 * time.Minute
	// loadableTicks is every how many epochs that is looked at: twice a minute.
	loadableTicks = 6
)

// Strict is a Target of which it can be asked whether what a server warns of
// keeps it from starting. Unknown is false.
type Strict interface {
	Strict(ctx context.Context) bool
}

// strict reports whether a HAProxy that reads e's file does not start with
// warnings (zero-warning, -dW).
func (w *Writer) strict(ctx context.Context, e *entry) bool {
	return e.cert.ZeroWarning || slices.ContainsFunc(e.cert.Targets, func(t Target) bool {
		s, ok := t.(Strict)
		return ok && s.Strict(ctx)
	})
}

// stopgap does what is to be done about the file while no response can be
// written: an empty one, where none is and the operator wants that, has HAProxy
// register the certificate at its start; and what would keep a strict HAProxy
// from starting goes.
func (w *Writer) stopgap(ctx context.Context, e *entry) (changed bool, err error) {
	c := &e.cert
	if !c.WriteFile || c.NotHAProxy || c.Issuer == nil {
		return false, nil
	}
	f := w.destination(c)
	if err := f.settle(); err != nil {
		return false, err
	}
	old, err := f.read()
	if err != nil || old == nil && !c.Placeholder || old != nil && w.loads(c, old) {
		return false, err
	}
	if !w.strict(ctx, e) {
		return w.placeholder(c, f, old)
	}
	if old != nil {
		changed, err = f.removeIf(func(old []byte) bool { return !w.loads(c, old) })
	}
	if changed {
		w.log.Warn("file removed, since HAProxy's zero-warning would keep it from starting", "job", c.Job, "name", c.Name, "file", f.path)
	}
	if err == nil && c.Placeholder {
		err = refuse(ReasonPlaceholder, "%s: zero-warning, or -dW, keeps HAProxy from starting with an empty response, so none is written: remove the one or the other", f.path)
	}
	return changed, err
}

// placeholder writes the empty file where there is none.
func (w *Writer) placeholder(c *Certificate, f file, old []byte) (bool, error) {
	if old != nil || !c.Placeholder {
		return false, nil
	}
	if err := w.writeIssuer(c); err != nil {
		return false, err
	}
	changed, err := f.replace([]byte{}, func(old []byte) (bool, error) { return old == nil, nil })
	if changed {
		w.log.Info("empty file written until there is a response", "job", c.Job, "name", c.Name, "file", f.path)
	}
	return changed, err
}

// loads reports whether HAProxy reads what a file holds without a warning, or
// whether it is nothing that ever was ours to remove: only what has ended, what
// is about the certificate before a renewal, and a placeholder are.
func (w *Writer) loads(c *Certificate, content []byte) bool {
	if len(content) == 0 {
		return !c.Placeholder
	}
	if bytes.Contains(content, []byte("-----BEGIN")) {
		return true
	}
	facts, err := c.verify(content, w.now())
	if err == nil {
		return facts.Until.Sub(w.now()) > loadable
	}
	var refusal *staple.Refusal
	return !errors.As(err, &refusal) || !slices.Contains([]staple.Reason{
		staple.Expired, staple.CertificateExpired, staple.WrongSerial, staple.IssuerHash,
	}, refusal.Reason)
}

// watchEnds has files be looked at that are about to end, and what could not be
// written and can now: then a clock was put right. What data_dir did not take is
// tried again.
func (w *Writer) watchEnds(ctx context.Context) {
	tick := time.NewTicker(loadableTicks * w.config.EpochInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var unkept []*entry
		w.mu.Lock()
		for _, e := range w.entries {
			if e.unkept != nil && e.held != nil {
				unkept = append(unkept, e)
			}
			ends := e.filed && e.applied != nil && e.applied.Until.Sub(w.now()) <= loadable
			mended := e.misfit != nil && e.held != nil && w.admit(&e.cert, e.held) == nil
			if w.run != nil && (ends || mended) {
				w.run.files.add(e)
			}
		}
		w.mu.Unlock()
		w.keepAgain(ctx, unkept)
	}
}

// keepAgain tries again to have data_dir hold what is held.
func (w *Writer) keepAgain(ctx context.Context, entries []*entry) {
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		held := e.held
		w.mu.Unlock()
		w.learn(e, held, record.Meta{})
		w.news(e)
	}
}
