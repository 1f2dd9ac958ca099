package staple

import (
	"fmt"
	"slices"
	"time"
)

func (j *judgement) checkEncoding() *Refusal {
	if len(j.der) > MaxResponse {
		return &Refusal{Reason: Oversized, Detail: fmt.Sprintf("more than %d bytes", MaxResponse)}
	}
	if err := j.response.read(j.der); err != nil {
		return &Refusal{Reason: Malformed, Err: err}
	}
	if j.explain {
		j.note("%d bytes of DER", len(j.der))
	}
	return nil
}

// checkCode turns an OCSPResponseStatus that is not successful into its Reason (RFC 6960 section 4.2.1).
func (j *judgement) checkCode() *Refusal {
	switch j.response.code {
	case 0:
		j.note("successful")
		return nil
	case 1:
		return &Refusal{Reason: MalformedRequest, Detail: "responder says malformedRequest"}
	case 2:
		return &Refusal{Reason: InternalError, Detail: "responder says internalError"}
	case 3:
		return &Refusal{Reason: TryLater, Detail: "responder says tryLater"}
	case 5:
		return &Refusal{Reason: SigRequired, Detail: "responder says sigRequired"}
	case 6:
		return &Refusal{Reason: Unauthorized, Detail: "responder says unauthorized"}
	}
	return &Refusal{Reason: UnknownCode, Detail: fmt.Sprintf("responder says code %d", j.response.code)}
}

func (j *judgement) checkKind() *Refusal {
	if j.response.kind != oidBasic {
		return &Refusal{Reason: ResponseType, Detail: j.response.kind + " is not id-pkix-ocsp-basic"}
	}
	if v := j.response.version; v != nil {
		return &Refusal{Reason: Version, Detail: fmt.Sprintf("version field is %v, not 0", v)}
	}
	j.note("basic response, version 1")
	return nil
}

// checkExtensions refuses critical extensions. None is understood here, the nonce included, since none is sent.
func (j *judgement) checkExtensions() *Refusal {
	if refusal := critical("response", j.response.extensions); refusal != nil {
		return refusal
	}
	if j.explain {
		j.note("%d, none critical", len(j.response.extensions))
		if slices.ContainsFunc(j.response.extensions, func(e extension) bool { return e.oid == oidNonce }) {
			j.add("with a nonce, which is not compared: none is sent")
		} else {
			j.add("no nonce")
		}
	}
	return nil
}

// oidNonce is id-pkix-ocsp-nonce: https://www.rfc-editor.org/rfc/rfc9654#section-2.1
const oidNonce = "1.3.6.1.5.5.7.48.1.2"

func critical(where string, list []extension) *Refusal {
	for _, e := range list {
		if e.critical {
			return &Refusal{Reason: CriticalExtension, Detail: fmt.Sprintf("%s: extension %s is critical", where, e.oid)}
		}
	}
	return nil
}

func (j *judgement) checkIssuer() *Refusal {
	if j.leaf == nil || j.issuer == nil {
		j.skip("needs the certificate and its issuer")
		return nil
	}
	if err := j.prove(); err != nil {
		return &Refusal{Reason: WrongIssuer, Err: err}
	}
	if j.explain {
		j.note("%q issued the certificate", j.issuer.Subject)
	}
	return nil
}

// checkEntries finds the entries about our certificate and the worst of them. Entries about others are passed over.
// What is not known when explaining (serial or issuer) is not compared.
func (j *judgement) checkEntries() *Refusal {
	var refusal *Refusal
	for i := range j.response.entries {
		e := &j.response.entries[i]
		if j.leaf != nil && !isNumber(e.certID.serial, j.leaf.SerialNumber) {
			continue
		}
		if j.issuer != nil {
			if fits, err := e.certID.names(j.issuer); !fits {
				refusal = &Refusal{Reason: IssuerHash, Detail: fmt.Sprintf("entry %d names another issuer", i+1), Err: err}
				continue
			}
		}
		j.matching = append(j.matching, e)
		if j.chosen == nil || worse(e, j.chosen) {
			j.chosen = e
		}
	}
	switch {
	case j.chosen != nil:
	case refusal != nil:
		return refusal
	default:
		return &Refusal{Reason: WrongSerial, Detail: fmt.Sprintf("none of %d entries is about the certificate", len(j.response.entries))}
	}
	for _, e := range j.matching {
		if refusal := critical("entry", e.extensions); refusal != nil {
			return refusal
		}
	}
	if j.o.AsSigned {
		j.o.Now = j.signedAt()
	}
	if j.explain {
		j.note("serial %s, %s", serialHex(bigNumber(j.chosen.certID.serial)), describe(j.chosen))
	}
	if len(j.matching) > 1 {
		j.warn("%d entries for one certificate, the worst counts", len(j.matching))
	}
	if j.leaf == nil || j.issuer == nil {
		j.warnStep("certificate or issuer not given, not compared")
	}
	return nil
}

// signedAt is when the response was signed, or begins to count if that is later.
func (j *judgement) signedAt() time.Time {
	at := j.response.producedAt
	for _, e := range j.matching {
		if e.thisUpdate.After(at) {
			at = e.thisUpdate
		}
	}
	return at
}

// worse tells which of two entries for one certificate counts: the worse status, then the earlier end.
func worse(a, b *entry) bool {
	rank := func(e *entry) int { return slices.Index([]Status{Good, Unknown, Revoked}, e.status) }
	if rank(a) != rank(b) {
		return rank(a) > rank(b)
	}
	return !a.nextUpdate.IsZero() && (b.nextUpdate.IsZero() || a.nextUpdate.Before(b.nextUpdate))
}

func describe(e *entry) string {
	s := string(e.status)
	if e.status == Revoked {
		s += " since " + e.revokedAt.Format(time.RFC3339)
		if e.reason >= 0 {
			s += " (" + reasonName(e.reason) + ")"
		}
	}
	return s
}

// reasonName names a CRLReason (RFC 5280 section 5.3.1). A number without a name never hides a revocation.
func reasonName(n int) string {
	names := []string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
		"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
	switch {
	case n == -1:
		return ""
	case n >= 0 && n < len(names) && names[n] != "":
		return names[n]
	}
	return fmt.Sprintf("reason %d", n)
}

// checkTimes judges all entries about our certificate, so that a current entry never carries an outdated one.
func (j *judgement) checkTimes() *Refusal {
	now, form := j.o.Now, time.RFC3339
	for _, e := range j.matching {
		switch {
		case !e.nextUpdate.IsZero() && !e.nextUpdate.After(e.thisUpdate):
			return &Refusal{Reason: UpdateOrder, Detail: fmt.Sprintf("nextUpdate %s, thisUpdate %s", e.nextUpdate.Format(form), e.thisUpdate.Format(form))}
		case e.thisUpdate.After(now.Add(Skew)):
			return &Refusal{Reason: NotYetValid, Detail: fmt.Sprintf("thisUpdate %s, now %s", e.thisUpdate.Format(form), now.UTC().Format(form))}
		case !e.nextUpdate.IsZero() && !now.Before(e.nextUpdate):
			return &Refusal{Reason: Expired, Detail: fmt.Sprintf("nextUpdate %s, now %s", e.nextUpdate.Format(form), now.UTC().Format(form))}
		}
	}
	if p := j.response.producedAt; p.After(now.Add(Skew)) {
		return &Refusal{Reason: ProducedAhead, Detail: fmt.Sprintf("producedAt %s, now %s", p.Format(form), now.UTC().Format(form))}
	}
	if j.chosen.nextUpdate.IsZero() {
		if j.explain {
			j.note("thisUpdate %s", j.chosen.thisUpdate.Format(form))
		}
		j.warn("no nextUpdate: nothing tells when this response is outdated")
		return nil
	}
	if j.explain {
		j.note("thisUpdate %s, nextUpdate %s", j.chosen.thisUpdate.Format(form), j.chosen.nextUpdate.Format(form))
	}
	return nil
}

func (j *judgement) checkLeafDates() *Refusal {
	if j.leaf == nil {
		j.skip("needs the certificate")
		return nil
	}
	if j.o.Now.After(j.leaf.NotAfter) {
		return &Refusal{Reason: CertificateExpired, Detail: "ended " + j.leaf.NotAfter.UTC().Format(time.RFC3339)}
	}
	if j.explain {
		j.note("ends %s", j.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}
