// Package responder speaks to a CA over HTTP: one exchange with an OCSP
// responder (RFC 6960 appendix A, RFC 5019 section 5), and one download of an
// issuer certificate (RFC 5280 section 4.2.2.1).
//
// What is promised:
//
//   - An exchange ends within its time, bodies and redirects included, and
//     reads a bounded number of bytes.
//   - No connection is made to an address that the [Guard] forbids. It is
//     checked on the address that is dialled, after DNS, for every connection;
//     a connection made under loose rules never serves a request under strict
//     ones.
//   - A name is resolved for each fetch: connections are kept for half a minute
//     after that, for other certificates of the same responder, and then closed
//     however much they are used.
//   - Where a proxy is set, in the request or by HTTP_PROXY, HTTPS_PROXY and
//     NO_PROXY, it is the proxy's address that is dialled, and it may be
//     private. Host names are then the proxy's to resolve: what is checked is
//     allowed_responders and every literal address.
//   - A failure is a [*Failure] with a one-word [Reason], or, where there is a
//     body with the form of an OCSP response, an [*Answer].
//
// What is not: the answer is not verified, neither is the issuer certificate.
// Whoever asked does that, with its own clock and certificates. No answer is
// kept either: whoever keeps one may ask whether there is another since.
package responder
