package haproxy

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"time"
)

// register has a certificate stapled that HAProxy loaded without a response:
// "set ssl cert <name>.ocsp" and "commit ssl cert" give it one, and from then
// on the plain "set ssl ocsp-response" works for it too.
//
// A process has one transaction at a time, and 2.6 puts whatever is sent into
// the one that is open, whomever it belongs to, and reports success. So it is
// looked for first, and each answer must name our certificate.
func (s *session) register(ctx context.Context, name string, cert Certificate) error {
	word, ok := commandWord(name)
	if !ok {
		return s.c.fail(KindRefused, "set ssl cert", "the name %q cannot stand in a command", shorten(name, 200))
	}
	if err := s.clearTransaction(ctx); err != nil {
		return err
	}
	type step struct{ ending, payload string }
	var steps []step
	if cert.IssuerPEM != nil {
		issuer, err := onlyCertificate(cert.IssuerPEM)
		if err != nil {
			return s.c.fail(KindNoIssuer, "set ssl cert "+shorten(name, 200)+".issuer", "%v", err)
		}
		steps = append(steps, step{".issuer", issuer})
	}
	steps = append(steps, step{".ocsp", base64.StdEncoding.EncodeToString(cert.OCSP)})

	if err := s.pace(ctx, 1); err != nil {
		return err
	}
	// Should this process be killed now, the next one knows whose it is.
	if err := s.lock.note(s.transactionNote(name)); err != nil {
		return s.c.lockError("cannot write the lock file", err)
	}
	for i, step := range steps {
		if err := s.change(ctx, name, word+step.ending, step.payload, i == 0); err != nil {
			return err
		}
	}
	if err := s.commit(ctx, name, word); err != nil {
		return err
	}
	return s.forget()
}

// change sends one part. After an error that leaves our own transaction open,
// it is aborted.
func (s *session) change(ctx context.Context, name, word, payload string, first bool) error {
	command := "set ssl cert " + word
	answer, err := s.send(ctx, command, payload)
	if err != nil {
		s.abandon(ctx, name)
		return err
	}
	about, began, err := parseChanging(answer)
	switch {
	case err != nil:
		e := s.c.answerError(command, answer)
		if first {
			_ = s.forget() // nothing was begun
		} else if e.Kind != KindTransactionBusy {
			s.abandon(ctx, name)
		}
		return e
	case about != name, began != first:
		// Somebody began one between our look and our command, or ended ours.
		_ = s.forget()
		return s.c.fail(KindTransactionBusy, command, "somebody else is changing %q: wait until it is committed, or end it with \"abort ssl cert\"", shorten(about, 200))
	}
	return nil
}

func (s *session) commit(ctx context.Context, name, word string) error {
	command := "commit ssl cert " + word
	answer, err := s.ask(ctx, command)
	if err != nil {
		s.abandon(ctx, name)
		return err
	}
	done, ignored := parseCommitted(answer)
	if !done {
		s.abandon(ctx, name)
		return s.c.answerError(command, answer)
	}
	if ignored != "" {
		_ = s.forget()
		return s.c.fail(KindRefused, command, "HAProxy says %q", ignored)
	}
	return nil
}

// clearTransaction returns nil when no transaction is open. One that an
// earlier process of ours left behind, as the lock file says, is aborted.
func (s *session) clearTransaction(ctx context.Context) error {
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	if list.transaction == "" {
		return nil
	}
	if s.lock.noted() == s.transactionNote(list.transaction) {
		s.c.config.Logger.Info("ending a transaction that an earlier run left open", "socket", s.c.config.Socket, "certificate", list.transaction)
		s.abandon(ctx, list.transaction)
		if list, err = s.list(ctx); err != nil || list.transaction == "" {
			return err
		}
	}
	return s.c.fail(KindTransactionBusy, "show ssl cert", "somebody else is changing %q: wait until it is committed, or end it with \"abort ssl cert\"", shorten(list.transaction, 200))
}

// abandon aborts our own transaction if it is still open, also when ctx has
// ended meanwhile.
func (s *session) abandon(ctx context.Context, name string) {
	word, ok := commandWord(name)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(s.c.config.Timeout, 2*time.Second))
	defer cancel()
	list, err := s.list(ctx)
	if err == nil && list.transaction == name {
		_, err = s.ask(ctx, "abort ssl cert "+word)
	}
	if err != nil {
		s.c.config.Logger.Warn("could not abort a transaction", "socket", s.c.config.Socket, "certificate", name, "error", err)
		return // the note stays: the next run tries again
	}
	_ = s.forget()
}

func (s *session) transactionNote(name string) string {
	return fmt.Sprintf("transaction %d %q", s.info.Pid, name)
}

// forget removes the note.
func (s *session) forget() error {
	if err := s.lock.note(""); err != nil {
		return s.c.lockError("cannot write the lock file", err)
	}
	return nil
}

// onlyCertificate writes the first certificate of a PEM anew: a payload must
// not have empty lines, and nothing else of the file may reach the socket.
func onlyCertificate(b []byte) (string, error) {
	for {
		var block *pem.Block
		block, b = pem.Decode(b)
		if block == nil {
			return "", fmt.Errorf("the issuer's PEM has no certificate")
		}
		if block.Type == "CERTIFICATE" {
			return string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})), nil
		}
	}
}
