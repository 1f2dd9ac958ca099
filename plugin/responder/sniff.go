package responder

import (
	"encoding/binary"
)

// form is what the first bytes of a body look like.
type form int

const (
	foreign    form = iota // no OCSPResponse
	cut                    // the beginning of one
	wellFormed             // one, as far as its outside tells
)

// sniff looks at the outside of an OCSPResponse (RFC 6960 section 4.2.1), a
// SEQUENCE that starts with an ENUMERATED of one byte: enough to tell it from
// an error page. What follows is for the verifier.
func sniff(b []byte) (status int, f form) {
	if len(b) < 2 || b[0] != 0x30 {
		return 0, foreign
	}
	length, body := uint64(b[1]), b[2:]
	if b[1] >= 0x80 {
		n := int(b[1] & 0x7f)
		if n == 0 || n > 4 || len(body) < n {
			return 0, foreign
		}
		var wide [8]byte
		copy(wide[8-n:], body[:n])
		length, body = binary.BigEndian.Uint64(wide[:]), body[n:]
	}
	if len(body) < 3 || body[0] != 0x0a || body[1] != 1 {
		return 0, foreign
	}
	if length > uint64(len(body)) {
		return 0, cut
	}
	return int(body[2]), wellFormed
}
