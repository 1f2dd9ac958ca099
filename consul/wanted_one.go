package consul

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// fingerprint is an id in a form that takes a third of the memory.
type fingerprint [sha256.Size]byte

// fingerprintOf is that of an id that is one.
func fingerprintOf(id string) (f fingerprint) {
	if len(id) == hex.EncodedLen(len(f)) {
		_, _ = hex.Decode(f[:], []byte(id)) // the caller has checked the digits
	}
	return f
}

// String is the id.
func (f fingerprint) String() string { return hex.EncodeToString(f[:]) }

// wantedOne is what a leader knows of one announced certificate, of which there
// may be very many.
type wantedOne struct {
	end      int64  // its notAfter, in seconds since 1970; 0: it was not read
	hours    uint32 // since 1970: when a node wanted it last
	followed bool   // it was told
}

// hour is when a node wanted it last.
func (w wantedOne) hour() time.Time {
	if w.hours == 0 {
		return time.Time{}
	}
	return time.Unix(int64(w.hours)*3600, 0).UTC()
}

// over reports whether the certificate is known to have ended.
func (w wantedOne) over(now time.Time) bool { return w.end != 0 && now.Unix() > w.end }

// hoursOf is an hour that is not before 1970, as a bucket has it; 0 for an
// earlier one.
func hoursOf(hour time.Time) uint32 {
	return uint32(max(0, min(hour.Unix()/3600, 1<<32-1)))
}
