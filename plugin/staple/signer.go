package staple

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"
)

func (j *judgement) checkAlgorithm() *Refusal {
	a, err := readAlgorithm(&input{rest: j.response.algorithm, name: "signature algorithm", err: &j.fault})
	if err != nil {
		return &Refusal{Reason: SignatureAlgorithm, Err: err}
	}
	if a.hash == crypto.SHA1 && !j.o.AllowSHA1Signatures {
		return &Refusal{Reason: SHA1Signature, Detail: "response signed with " + a.name}
	}
	j.algorithm = a
	if j.explain {
		j.note("%s", a.name)
	}
	return nil
}

// checkSignature looks for certificates that the ResponderID names and whose key fits. Certificates in the response
// may stand in any order and may have nothing to do with it.
func (j *judgement) checkSignature() *Refusal {
	var room [4]*x509.Certificate
	candidates := j.candidates(room[:0])
	var named *x509.Certificate
	var failure error // of named
	for _, c := range candidates {
		if !j.response.responder.isFor(c) {
			continue
		}
		err := j.checkKey(c)
		if err == nil {
			j.signers = append(j.signers, c)
		}
		if named == nil {
			named, failure = c, err
		}
	}
	if len(j.signers) > 0 {
		if j.explain {
			j.note("by the key of %q", j.signers[0].Subject)
		}
		return nil
	}
	for _, c := range candidates {
		if !j.response.responder.isFor(c) && j.checkKey(c) == nil {
			return &Refusal{Reason: ResponderID, Detail: "it does not name the certificate whose key signed"}
		}
	}
	if named == nil {
		return &Refusal{Reason: WrongSigner, Detail: "the ResponderID names no certificate at hand"}
	}
	return &Refusal{Reason: BadSignature, Detail: fmt.Sprintf("key of %q", named.Subject), Err: failure}
}

// checkKey returns nil if c's key made the response's signature.
func (j *judgement) checkKey(c *x509.Certificate) error {
	return j.algorithm.verify(c, j.response.tbs, j.response.signature)
}

// candidates appends all certificates at hand to list, each once: the issuer first, then those the operator trusts,
// then those sent along.
func (j *judgement) candidates(list []*x509.Certificate) []*x509.Certificate {
	if j.issuer != nil {
		list = append(list, j.issuer)
	}
	for _, some := range [...][]*x509.Certificate{j.o.TrustedResponders, j.response.certs} {
		for _, c := range some {
			if !slices.ContainsFunc(list, c.Equal) {
				list = append(list, c)
			}
		}
	}
	return list
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
		if refusal := j.checkForeign(); refusal != nil {
			return refusal
		}
		return j.checkDates(c)
	case slices.ContainsFunc(j.o.TrustedResponders, c.Equal):
		if j.explain {
			j.note("trusted responder %q", c.Subject)
		}
		return j.checkDates(c)
	case j.issuer == nil:
		if j.explain {
			j.note("%q", c.Subject)
		}
		j.warnStep("issuer not given: nothing says that it let this key sign")
		return nil
	}
	if refusal := j.checkForeign(); refusal != nil {
		return refusal
	}
	return j.checkDelegate(c)
}

// checkForeign refuses entries of other issuers: neither our issuer nor its delegate may speak for those (RFC 6960
// section 4.2.2.2), and openssl refuses the whole response. A responder that the operator trusts may.
func (j *judgement) checkForeign() *Refusal {
	for i := range j.response.entries {
		e := &j.response.entries[i]
		if slices.Contains(j.matching, e) {
			continue
		}
		if fits, err := e.certID.names(j.issuer); !fits {
			return &Refusal{Reason: IssuerHash, Detail: fmt.Sprintf("entry %d names another issuer", i+1), Err: err}
		}
	}
	return nil
}

// checkDelegate applies RFC 6960 section 4.2.2.2: certified directly by the issuer, for this purpose. On top of it a
// delegate must be no CA, may sign by its key usage, is within its dates and holds nothing critical and unknown.
func (j *judgement) checkDelegate(c *x509.Certificate) *Refusal {
	name := func() string { return fmt.Sprintf("%q", c.Subject) }
	if !bytes.Equal(c.RawIssuer, j.issuer.RawSubject) {
		return &Refusal{Reason: WrongSigner, Detail: fmt.Sprintf("%q was issued by %q", c.Subject, c.Issuer)}
	}
	if a, s := c.AuthorityKeyId, j.issuer.SubjectKeyId; len(a) > 0 && len(s) > 0 && !bytes.Equal(a, s) {
		return &Refusal{Reason: WrongSigner, Detail: name() + " names another key of its issuer (authorityKeyIdentifier): openssl and what is built on it refuse that"}
	}
	hash, err := delegates.signedBy(c, j.issuer)
	switch {
	case err != nil:
		return &Refusal{Reason: WrongSigner, Detail: name() + " was not signed by the issuer's key", Err: err}
	case hash == crypto.SHA1 && !j.o.AllowSHA1Signatures:
		return &Refusal{Reason: SHA1Signature, Detail: "delegate " + name() + " certified with SHA-1"}
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return &Refusal{Reason: DelegatePurpose, Detail: name()}
	case c.IsCA:
		return &Refusal{Reason: DelegateCA, Detail: name()}
	case hasExtension(c, oidKeyUsage) && c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return &Refusal{Reason: DelegateKeyUsage, Detail: name()}
	}
	for _, oid := range c.UnhandledCriticalExtensions {
		if !oid.Equal(oidNoCheck) {
			return &Refusal{Reason: DelegateExtension, Detail: fmt.Sprintf("%q: %v", c.Subject, oid)}
		}
	}
	if refusal := j.checkDates(c); refusal != nil {
		return refusal
	}
	j.delegated = true
	if j.explain {
		j.note("delegate %q of the issuer, which certified it for signing OCSP responses; ends %s", c.Subject, c.NotAfter.UTC().Format(time.RFC3339))
	}
	if hasExtension(c, oidNoCheck) {
		j.add("id-pkix-ocsp-nocheck: nobody need ask whether it was revoked")
	} else {
		j.warn("delegate %q lacks id-pkix-ocsp-nocheck: strict clients ask whether it was revoked", c.Subject)
	}
	return nil
}

var (
	oidNoCheck  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15}
)

func hasExtension(c *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
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
