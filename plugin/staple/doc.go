// Package staple turns a certificate into an OCSP request and an OCSP response into verified facts.
//
// It is pure: it opens no file and no socket and never reads the clock; the time is an argument. All functions
// are safe for concurrent use and take bytes from strangers: sizes and counts are bounded, and nothing here panics on
// bad input. Nothing decides by what was before: a Pair and a small memory of delegates only save the repetition of a
// signature check whose outcome cannot change.
//
// What Verify promises: when it returns Facts, the response is DER to the last byte, was signed by the issuer of
// the certificate, by a responder which that issuer authorised, or by one that the operator trusts by name, speaks
// of exactly this certificate, and is within its times. Every refusal is a *Refusal with one Reason; Reasons lists
// them all. Facts also say whether HAProxy is able to staple the response, which is a narrower question.
//
// What it does not promise: that the issuer itself is trusted (no chain is built: the caller gives the issuer and
// CheckIssuer proves that it signed the leaf), or that a delegated responder's certificate was not revoked.
//
// Supported signatures: RSA PKCS #1 v1.5 and RSA-PSS with SHA-256, SHA-384 or SHA-512, ECDSA on the NIST curves with
// the same hashes, Ed25519; SHA-1 where Options allow it. CertIDs may use SHA-1, SHA-256, SHA-384 or SHA-512.
package staple
