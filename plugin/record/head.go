package record

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Head is the text of v1/head and of a slot of v1/log: what one generation of
// publishing changed. On the wire it is
//
//	<generation> <nonce> <nonce before>
//	<id>
//	<id>
//
// where the nonce before is "-" for a head with none before it.
type Head struct {
	// Generation counts publications, from 1 to [MaxGeneration].
	Generation uint64
	// Nonce names this publication; Before the one that it follows.
	Nonce, Before string
	// IDs are the certificates whose response changed, in order; none for a
	// generation that only says that the leader is there.
	IDs []string
}

const (
	// MaxGeneration is the last generation that is believed: a head far beyond
	// it would leave the next leader no number to go on with.
	MaxGeneration = 1 << 53
	// Slots is the number of slots of the log; a power of two.
	Slots = 64
	// NoNonce is the nonce before the first.
	NoNonce = "-"

	maxNonce = 64
	maxHead  = 64 << 10
)

// NewNonce is a fresh random nonce of 32 hex digits.
func NewNonce() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// Slot is the name of the slot of v1/log that holds a generation: "00" to
// "3f".
func Slot(generation uint64) string {
	return fmt.Sprintf("%02x", generation%Slots)
}

// Encode is the text of h.
func (h Head) Encode() []byte {
	var b strings.Builder
	before := h.Before
	if before == "" {
		before = NoNonce
	}
	fmt.Fprintf(&b, "%d %s %s\n", h.Generation, h.Nonce, before)
	for _, id := range h.IDs {
		b.WriteString(id)
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// ParseHead reads the text of a head or of a slot. A generation out of bounds,
// a nonce that is none, or a line that is no id makes the whole unreadable.
func ParseHead(b []byte) (Head, error) {
	if len(b) > maxHead {
		return Head{}, fmt.Errorf("head: %d bytes; at most %d are read", len(b), maxHead)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	fields := strings.Split(lines[0], " ")
	if len(fields) != 3 {
		return Head{}, fmt.Errorf("head: the first line is not <generation> <nonce> <nonce before>")
	}
	generation, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil || generation < 1 || generation > MaxGeneration {
		return Head{}, fmt.Errorf("head: the generation is not a number from 1 to %d", uint64(MaxGeneration))
	}
	if !validNonce(fields[1]) || !validNonce(fields[2]) || fields[1] == NoNonce {
		return Head{}, fmt.Errorf("head: a nonce is not 1 to %d letters, digits or hyphens", maxNonce)
	}
	h := Head{Generation: generation, Nonce: fields[1], Before: fields[2]}
	for _, id := range lines[1:] {
		if !ValidID(id) {
			return Head{}, fmt.Errorf("head: a line is not an id")
		}
		h.IDs = append(h.IDs, id)
	}
	return h, nil
}

func validNonce(s string) bool {
	if s == "" || len(s) > maxNonce {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	})
}
