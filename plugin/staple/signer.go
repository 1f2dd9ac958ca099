package staple

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

func (j *judgement) checkAlgorithm() *Refusal {
	a, err := readAlgorithm(j.response.algorithm)
	if err != nil {
		return &Refusal{Reason: SignatureAlgorithm, Err: err}
	}
	if a.hash == crypto.SHA1 && !j.o.AllowSHA1Signatures {
		return &Refusal{Reason: SHA1Signature, Detail: "response signed with " + a.name}
	}
	j.algorithm = a
	j.note("%s", a.name)
	return nil
}

// checkSignature looks for certificates that the ResponderID names and whose key fits. Certificates in the response
// may stand in any order and may have nothing to do with it.
func (j *judgement) checkSignature() *Refusal {
	var named, others []*x509.Certificate
	for _, c := range j.candidates() {
		if j.response.responder.isFor(c) {
			named = append(named, c)
		} else {
			others = append(others, c)
		}
	}
	fits := func(c *x509.Certificate) bool {
		return j.algorithm.verify(c, j.response.tbs, j.response.signature) == nil
	}
	for _, c := range named {
		if fits(c) {
			j.signers = append(j.signers, c)
		}
	}
	switch {
	case len(j.signers) > 0:
		j.note("by the key of %q", j.signers[0].Subject)
		return nil
	case slices.ContainsFunc(others, fits):
		return &Refusal{Reason: ResponderID, Detail: "it does not name the certificate whose key signed"}
	case len(named) == 0:
		return &Refusal{Reason: WrongSigner, Detail: "the ResponderID names no certificate at hand"}
	}
	return &Refusal{Reason: BadSignature, Detail: fmt.Sprintf("key of %q", named[0].Subject), Err: j.algorithm.verify(named[0], j.response.tbs, j.response.signature)}
}

// candidates are all certificates at hand: the issuer first, then those the operator trusts, then those sent along.
func (j *judgement) candidates() []*x509.Certificate {
	var out []*x509.Certificate
	add := func(c *x509.Certificate) {
		if c != nil && !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	add(j.issuer)
	for _, c := range j.o.TrustedResponders {
		add(c)
	}
	for _, c := range j.response.certs {
		add(c)
	}
	return out
}

// isFor reports whether the ResponderID names c: its subject byte for byte, or the SHA-1 of its key.
func (id responderID) isFor(c *x509.Certificate) bool {
	if id.name != nil {
		return bytes.Equal(id.name, c.RawSubject)
	}
	key, err := publicKeyBits(c)
	if err != nil {
		return false
	}
	hash := sha1.Sum(key)
	return bytes.Equal(id.keyHash, hash[:])
}

// checkSigner takes the first of the signers that may speak for the issuer, else refuses for what the first lacks.
func (j *judgement) checkSigner() *Refusal {
	var first *Refusal
	for _, c := range j.signers {
		refusal := j.mayDecide(c)
		if refusal == nil {
			j.signer = c
			return nil
		}
		if first == nil {
			first = refusal
		}
	}
	return first
}

func (j *judgement) mayDecide(c *x509.Certificate) *Refusal {
	switch {
	case j.issuer != nil && c.Equal(j.issuer):
		j.note("the issuer itself")
		return j.checkDates(c)
	case slices.ContainsFunc(j.o.TrustedResponders, c.Equal):
		j.note("trusted responder %q", c.Subject)
		return j.checkDates(c)
	case j.issuer == nil:
		j.note("%q", c.Subject)
		j.warnStep("issuer not given: nothing says that it let this key sign")
		return nil
	}
	return j.checkDelegate(c)
}

// checkDelegate applies RFC 6960 section 4.2.2.2: certified directly by the issuer, for this purpose. On top of it a
// delegate must be no CA, may sign by its key usage, is within its dates and holds nothing critical and unknown.
func (j *judgement) checkDelegate(c *x509.Certificate) *Refusal {
	subject := fmt.Sprintf("%q", c.Subject)
	if !bytes.Equal(c.RawIssuer, j.issuer.RawSubject) {
		return &Refusal{Reason: WrongSigner, Detail: fmt.Sprintf("%s was issued by %q", subject, c.Issuer)}
	}
	hash, err := signedBy(c, j.issuer)
	switch {
	case err != nil:
		return &Refusal{Reason: WrongSigner, Detail: subject + " was not signed by the issuer's key", Err: err}
	case hash == crypto.SHA1 && !j.o.AllowSHA1Signatures:
		return &Refusal{Reason: SHA1Signature, Detail: "delegate " + subject + " certified with SHA-1"}
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return &Refusal{Reason: DelegatePurpose, Detail: subject}
	case c.IsCA:
		return &Refusal{Reason: DelegateCA, Detail: subject}
	case hasExtension(c, oidKeyUsage) && c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return &Refusal{Reason: DelegateKeyUsage, Detail: subject}
	}
	for _, oid := range c.UnhandledCriticalExtensions {
		if oid.String() != oidNoCheck {
			return &Refusal{Reason: DelegateExtension, Detail: fmt.Sprintf("%s: %v", subject, oid)}
		}
	}
	if refusal := j.checkDates(c); refusal != nil {
		return refusal
	}
	j.delegated = true
	j.note("delegate %s of the issuer, ends %s", subject, c.NotAfter.UTC().Format(time.RFC3339))
	if !hasExtension(c, oidNoCheck) {
		j.warn("delegate %s lacks id-pkix-ocsp-nocheck: strict clients ask whether it was revoked", subject)
	}
	return nil
}

const (
	oidNoCheck  = "1.3.6.1.5.5.7.48.1.5"
	oidKeyUsage = "2.5.29.15"
)

func hasExtension(c *x509.Certificate, oid string) bool {
	for _, e := range c.Extensions {
		if e.Id.String() == oid {
			return true
		}
	}
	return false
}

func (j *judgement) checkDates(c *x509.Certificate) *Refusal {
	if j.o.Now.Before(c.NotBefore) || j.o.Now.After(c.NotAfter) {
		return &Refusal{Reason: SignerDates, Detail: fmt.Sprintf("%q is valid from %s to %s", c.Subject,
			c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))}
	}
	return nil
}
