package staple

import "errors"

// Reason says in one word why a response was refused or why HAProxy cannot staple it. Values are stable: they are
// label values, test names and what operators search for.
type Reason string

// Reasons for which Verify refuses. What each means is in Reasons.
const (
	Oversized          Reason = "oversized"
	Malformed          Reason = "malformed"
	MalformedRequest   Reason = "malformed-request"
	InternalError      Reason = "internal-error"
	TryLater           Reason = "try-later"
	SigRequired        Reason = "sig-required"
	Unauthorized       Reason = "unauthorized"
	UnknownCode        Reason = "unknown-code"
	ResponseType       Reason = "response-type"
	Version            Reason = "version"
	CriticalExtension  Reason = "critical-extension"
	WrongIssuer        Reason = "wrong-issuer"
	WrongSerial        Reason = "serial"
	IssuerHash         Reason = "issuer-hash"
	SHA1Signature      Reason = "sha1-signature"
	SignatureAlgorithm Reason = "signature-algorithm"
	BadSignature       Reason = "signature"
	ResponderID        Reason = "responder-id"
	WrongSigner        Reason = "signer"
	SignerDates        Reason = "signer-dates"
	DelegatePurpose    Reason = "delegate-purpose"
	DelegateCA         Reason = "delegate-ca"
	DelegateKeyUsage   Reason = "delegate-key-usage"
	DelegateExtension  Reason = "delegate-extension"
	UpdateOrder        Reason = "update-order"
	NotYetValid        Reason = "not-yet-valid"
	ProducedAhead      Reason = "produced-ahead"
	Expired            Reason = "expired"
	CertificateExpired Reason = "certificate-expired"
)

// Reasons for which HAProxy cannot staple a response that is otherwise verified.
const (
	NoNextUpdate      Reason = "no-next-update"
	MultipleResponses Reason = "multiple-responses"
	CertIDNotSHA1     Reason = "certid-not-sha1"
	CertIDParameters  Reason = "certid-parameters"
	CertIDTooLong     Reason = "certid-too-long"
	StatusUnknown     Reason = "unknown"
	TooLarge          Reason = "too-large"
	ShortLived        Reason = "short-lived"
)

// ReasonMeaning explains one Reason in one line. Unstaplable tells the two kinds apart: false means that the
// response is refused, true that it is verified but out of HAProxy's reach.
type ReasonMeaning struct {
	Reason      Reason
	Unstaplable bool
	Meaning     string
}

// Reasons returns every Reason with its meaning, in the order in which verification can meet them.
func Reasons() []ReasonMeaning {
	return []ReasonMeaning{
		{Oversized, false, "the response is larger than 64 KiB"},
		{Malformed, false, "not strict DER of RFC 6960: BER, bytes left over, a wrong type or a wrong time form"},
		{MalformedRequest, false, "the responder says that it could not read the request"},
		{InternalError, false, "the responder says that it failed"},
		{TryLater, false, "the responder asks to try later"},
		{SigRequired, false, "the responder wants signed requests"},
		{Unauthorized, false, "the responder does not answer for this certificate; usual in the first minutes after issue"},
		{UnknownCode, false, "the responder answered with a status code that RFC 6960 does not know"},
		{ResponseType, false, "the response is not of type id-pkix-ocsp-basic"},
		{Version, false, "the response is not of version 1"},
		{CriticalExtension, false, "the response or an entry has a critical extension"},
		{WrongIssuer, false, "the given issuer did not issue the certificate"},
		{WrongSerial, false, "no entry is about the certificate's serial number"},
		{IssuerHash, false, "the entry for the certificate, or one beside it, names another issuer"},
		{SHA1Signature, false, "signed with SHA-1, which is not allowed here"},
		{SignatureAlgorithm, false, "the signature algorithm or its parameters are broken or not supported"},
		{BadSignature, false, "the signature does not fit the signer's key"},
		{ResponderID, false, "the ResponderID does not name the certificate whose key signed"},
		{WrongSigner, false, "signed neither by the issuer nor by a responder that the issuer certified"},
		{SignerDates, false, "the signer's certificate has expired or is not valid yet"},
		{DelegatePurpose, false, "the delegate's certificate lacks the extended key usage id-kp-OCSPSigning"},
		{DelegateCA, false, "the delegate's certificate is a CA certificate"},
		{DelegateKeyUsage, false, "the delegate's key usage lacks digitalSignature"},
		{DelegateExtension, false, "the delegate's certificate has an unknown critical extension"},
		{UpdateOrder, false, "nextUpdate is not after thisUpdate"},
		{NotYetValid, false, "thisUpdate is more than 5 minutes ahead of the clock"},
		{ProducedAhead, false, "producedAt is more than 5 minutes ahead of the clock"},
		{Expired, false, "nextUpdate has passed"},
		{CertificateExpired, false, "the certificate itself has expired"},
		{NoNextUpdate, true, "no nextUpdate: HAProxy ignores such a response"},
		{MultipleResponses, true, "more than one entry: HAProxy ignores such a response"},
		{CertIDNotSHA1, true, "the CertID is not hashed with SHA-1: HAProxy looks up SHA-1 only"},
		{CertIDParameters, true, "the CertID's hash algorithm lacks its NULL parameters: HAProxy's lookup compares bytes"},
		{CertIDTooLong, true, "the CertID is longer than the 128 bytes that HAProxy takes"},
		{StatusUnknown, true, "the status is unknown: HAProxy ignores such a response"},
		{TooLarge, true, "larger than HAProxy's command (11,200 bytes) or file buffer (16,384 bytes)"},
		{ShortLived, true, "less than 10 minutes to nextUpdate: HAProxy would drop the old staple and serve none"},
	}
}

// Refusal is the error of Verify, FitsHAProxy and of everything that judges a response. Detail names the object;
// Err is the cause, nil where there is none.
type Refusal struct {
	Reason Reason
	Detail string
	Err    error
}

// Error is "reason: detail: cause" with the absent parts left out.
func (r *Refusal) Error() string {
	s := string(r.Reason)
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// ReasonOf returns the Reason of the first *Refusal in err's chain, or "" if there is none.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}
