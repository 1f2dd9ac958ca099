// Package pull answers OCSP requests over HTTP (RFC 6960 appendix A.1, GET and
// POST, with the caching headers of RFC 5019 section 6) from responses that were
// verified on this node: for servers and clients that take neither a file nor a
// push, but ask.
//
// Nothing is ever signed: a CA's response is handed on byte for byte, while it
// lives. Whoever asks about a certificate that is not among those of this node
// is told "unauthorized", as RFC 5019 section 2.2.3 has it for responders with
// pre-signed responses. A nonce is not answered for the same reason.
package pull
