package writer

import (
	"bytes"
	"context"
	"encoding/pem"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// written is what came of writing a file.
type written struct {
	facts   *staple.Facts // holds from now on
	filed   bool          // the file holds facts
	changed bool          // the file did not before
}

// handle brings what e holds into its file and has the targets told; data_dir
// takes it meanwhile. It tells whether the file was changed; its error is worth
// another try.
func (w *Writer) handle(ctx context.Context, e *entry) (changed bool, err error) {
	w.mu.Lock()
	held, gone, owed := e.held, e.gone, e.owed != nil
	w.mu.Unlock()
	if owed && !gone {
		// Both wait for the disk, which makes them durable together.
		var keeping sync.WaitGroup
		keeping.Go(func() { w.keep(e) }) // ends by itself
		defer func() {
			keeping.Wait()
			w.news(e)
		}()
	}
	defer w.news(e)
	if gone {
		return false, nil
	}
	if held == nil {
		changed, err = w.stopgap(ctx, e)
		w.trouble(e, unfiled, &e.fileErr, err)
		return changed, err
	}
	if err := w.admit(&e.cert, held); err != nil {
		w.trouble(e, misfits, &e.misfit, err) // which another response mends, or a clock that is put right
		changed, err = w.stopgap(ctx, e)
		if changed {
			w.mu.Lock()
			e.filed = false
			w.mu.Unlock()
		}
		return changed, err
	}
	w.trouble(e, misfits, &e.misfit, nil)
	done, err := w.write(e, held)
	w.trouble(e, unfiled, &e.fileErr, err)
	w.mu.Lock()
	e.applied, e.filed = done.facts, done.filed
	w.mu.Unlock()
	w.tell(e)
	return done.changed, err
}

// admit says why a response must not be written or installed now.
func (w *Writer) admit(c *Certificate, held *staple.Facts) error {
	if err := c.fits(held, w.now()); err != nil {
		return err
	}
	if c.OnRevoked == "keep" && held.Status == staple.Revoked {
		return refuse(ReasonKept, "the certificate is revoked; on_revoked is \"keep\"")
	}
	return nil
}

// write brings the response into the file. A file that holds a newer one wins.
func (w *Writer) write(e *entry, held *staple.Facts) (written, error) {
	c := &e.cert
	result := written{facts: held}
	if !c.WriteFile {
		return result, nil
	}
	f := w.destination(c)
	if c.OnRevoked == "remove" && held.Status == staple.Revoked {
		removed, err := f.remove()
		if removed {
			result.changed = true
			w.log.Warn("file of a revoked certificate removed", "job", c.Job, "name", c.Name, "file", f.path)
		}
		return result, err
	}
	if err := w.writeIssuer(c); err != nil {
		return result, err
	}
	changed, err := f.replace(held.DER, func(old []byte) (bool, error) {
		if bytes.Contains(old, []byte("-----BEGIN")) {
			return false, refuse(ReasonPath, "%s holds a PEM, which is not ours to replace", f.path)
		}
		there, err := c.verify(old, w.now())
		if err != nil || supersedes(held, there) {
			return true, nil
		}
		result.facts = there
		return false, nil
	})
	if err != nil {
		return written{facts: held}, err
	}
	result.filed, result.changed = true, changed
	if result.facts != held && w.accept(e, result.facts) {
		w.log.Info("file holds a newer response, which is kept", "job", c.Job, "name", c.Name, "file", f.path)
		w.learn(e, result.facts, record.Meta{})
	}
	if changed {
		args := []any{"job", c.Job, "name", c.Name, "file", f.path, "status", held.Status,
			"this_update", held.ThisUpdate.UTC().Format(time.RFC3339)}
		if !held.NextUpdate.IsZero() {
			args = append(args, "next_update", held.NextUpdate.UTC().Format(time.RFC3339))
		}
		w.mu.Lock()
		news := (e.applied == nil || e.applied.Status != held.Status || !e.wrote) && e.fileErr == nil
		e.wrote = true
		level, more := w.fine(news)
		w.mu.Unlock()
		w.log.Log(level, "file written"+more, args...)
	}
	return result, nil
}

// writeIssuer makes sure that a starting HAProxy finds the issuer: beside a
// certificate without one, a .ocsp file stops it (up to HAProxy 3.4).
func (w *Writer) writeIssuer(c *Certificate) error {
	if c.IssuerKnown {
		return nil
	}
	if c.IssuerOnlyInPEM {
		return refuse(ReasonIssuerUnknown, "%s: HAProxy would not start with %s beside a certificate whose issuer it can't find, and its configuration has it look in no file beside it: put the issuer into the PEM", c.Path, c.file())
	}
	f := w.issuerFile(c)
	if !c.WriteIssuer {
		return refuse(ReasonIssuerUnknown, "%s: HAProxy would not start with %s beside a certificate whose issuer it can't find: put the issuer into the PEM or %s, or set write_issuer", c.Path, c.file(), f.path)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Issuer.Raw})
	for _, further := range c.IssuerChain {
		content = append(content, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: further.Raw})...)
	}
	written, err := f.replace(content, func(old []byte) (bool, error) {
		if len(old) == 0 {
			return true, nil
		}
		// An issuer that does not fit stops HAProxy's start anyway; one from
		// before a renewal is what this is about.
		there, err := staple.ParseCertificates(old)
		if err != nil {
			return false, refuse(ReasonIssuerFile, "%s is there and holds no certificates: %w", f.path, err)
		}
		// HAProxy reads the first PEM block and nothing else.
		return staple.CheckIssuer(c.Leaf, there[0]) != nil || !bytes.Contains(old, []byte("-----BEGIN")), nil
	})
	if written {
		w.log.Info("issuer written", "job", c.Job, "name", c.Name, "file", f.path)
	}
	return err
}

func (w *Writer) destination(c *Certificate) file {
	return file{path: c.file(), like: c.Path, trust: w.trust, contents: &w.contents, folders: &w.folders}
}

func (w *Writer) issuerFile(c *Certificate) file {
	return file{path: c.issuerFile(), like: c.Path, trust: w.trust, contents: &w.contents, folders: &w.folders}
}

// readFirst is what e's file holds when nothing is known of it yet. What a crash
// left beside e's files is removed.
func (w *Writer) readFirst(e *entry) ([]byte, error) {
	if !e.cert.IssuerInPEM {
		w.issuerFile(&e.cert).clean()
	}
	return w.destination(&e.cert).readFirst()
}

// trouble sets one of e's errors, and says so when it comes, changes and goes.
func (w *Writer) trouble(e *entry, k kind, where *error, err error) {
	var level hclog.Level
	var more string
	w.mu.Lock()
	before := *where
	*where = err
	news := err != nil && (before == nil || ReasonOf(before) != ReasonOf(err))
	if news {
		e.since = w.now()
		level, more = w.complain(&e.complaints[k], k, ReasonOf(err))
	}
	w.mu.Unlock()
	switch {
	case news:
		w.log.Log(level, "response not applied"+more, "job", e.cert.Job, "name", e.cert.Name, "id", e.cert.ID, "reason", ReasonOf(err), "error", err)
	case err == nil && before != nil:
		w.relieved(e, &e.complaints[k], "response can be applied again", ReasonOf(before))
	}
}
