package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// certificate shows what stapling depends on.
func (i inspection) certificate(h *held) int {
	issuer, where, err := h.issuer(i.issuerPath)
	if err != nil {
		return i.unreadable(err)
	}
	leaf := h.leaf
	fmt.Fprintf(i.stdout, "certificate %s\n", printable(i.path))
	t := newTable(i.stdout)
	t.row("id", staple.ID(leaf))
	t.row("subject", leaf.Subject.String())
	t.row("names", strings.Join(staple.Names(leaf), ", "))
	t.row("serial", serialOf(leaf))
	t.row("not before", moment(leaf.NotBefore, i.now))
	t.row("not after", moment(leaf.NotAfter, i.now))
	t.row("key", leaf.PublicKeyAlgorithm.String())
	t.row("issuer", fmt.Sprintf("%s (%s)", leaf.Issuer, where))
	t.row("responder", orNone(leaf.OCSPServer))
	t.row("issuer url", orNone(leaf.IssuingCertificateURL))
	t.row("must-staple", yesNo(staple.MustStaple(leaf)))
	t.row("certid", certID(leaf, issuer))
	t.row("response", i.beside(h, issuer))
	t.flush()
	return exitOK
}

// beside says in a line what the file with the certificate's response holds.
func (i inspection) beside(h *held, issuer *x509.Certificate) string {
	path := h.path + ".ocsp"
	s, err := readSubject(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "none: " + path + " is not there"
	case err != nil:
		return "unreadable: " + err.Error()
	case s.response == nil:
		return path + " is a certificate"
	case issuer == nil:
		return path + " is there; the issuer is needed to verify it"
	}
	facts, err := staple.Verify(s.response, h.leaf, issuer, staple.Options{Now: i.now})
	if err != nil {
		return fmt.Sprintf("%s is refused: %v", path, err)
	}
	return fmt.Sprintf("%s says %s, until %s", path, facts.Status, moment(facts.Until, i.now))
}

// certID is the key under which HAProxy files the certificate's response, as
// "show ssl ocsp-response" prints it.
func certID(leaf, issuer *x509.Certificate) string {
	if issuer == nil {
		return "the issuer is needed for it"
	}
	if err := staple.CheckIssuer(leaf, issuer); err != nil {
		return err.Error()
	}
	der, err := staple.CertID(leaf, issuer)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", der)
}

// serialOf prints a serial number as openssl does, in whole bytes.
func serialOf(leaf *x509.Certificate) string {
	if leaf.SerialNumber.Sign() < 0 {
		return "-" + fmt.Sprintf("%x", leaf.SerialNumber.Bytes())
	}
	if leaf.SerialNumber.Sign() == 0 {
		return "00"
	}
	return fmt.Sprintf("%x", leaf.SerialNumber.Bytes())
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// life says when a response was made and how long it may still be served.
func life(t *table, f *staple.Facts, now time.Time) {
	t.row("this update", moment(f.ThisUpdate, now))
	if f.NextUpdate.IsZero() {
		t.row("next update", "none")
	}
	t.row("next update", moment(f.NextUpdate, now))
	t.row("produced at", moment(f.ProducedAt, now))
	t.row("served until", moment(f.Until, now))
}
