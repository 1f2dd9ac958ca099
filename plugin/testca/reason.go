package testca

import (
	"fmt"
	"strings"
	"time"
)

// reasons are openssl's names of CRLReason, at the place of their number; 7 is
// not used (RFC 5280, 5.3.1), and above 8 openssl's database knows none.
func reasons() []string {
	return []string{"unspecified", "keyCompromise", "CACompromise", "affiliationChanged", "superseded",
		"cessationOfOperation", "certificateHold", "", "removeFromCRL"}
}

// certificateHold is the one reason that is not for ever.
const certificateHold = 6

// Reasons are the reasons for which a certificate can be revoked, in openssl's
// words. removeFromCRL is none: it is said of one that is not revoked any more.
func Reasons() []string {
	var names []string
	for n, name := range reasons() {
		if name != "" && n <= certificateHold {
			names = append(names, name)
		}
	}
	return names
}

func reasonName(n int) string {
	if names := reasons(); n >= 0 && n < len(names) {
		return names[n]
	}
	return ""
}

// parseReason gives the number of a reason; "" is -1, no reason given. Case does
// not count.
func parseReason(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	for n, known := range reasons() {
		if strings.EqualFold(name, known) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("reason %q is not one of those that openssl knows", name)
}

// parseRevocation reads the third field of a revoked certificate: the time, then
// perhaps a reason, then perhaps what belongs to the reason. openssl writes
// holdInstruction, keyTime and CAkeyTime instead of a reason where they say more.
func parseRevocation(s string) (at time.Time, reason int, err error) {
	when, rest, _ := strings.Cut(s, ",")
	if at, err = parseTime(when); err != nil {
		return at, 0, err
	}
	name, _, _ := strings.Cut(rest, ",")
	switch {
	case strings.EqualFold(name, "holdInstruction"):
		name = "certificateHold"
	case strings.EqualFold(name, "keyTime"):
		name = "keyCompromise"
	case strings.EqualFold(name, "CAkeyTime"):
		name = "CACompromise"
	}
	reason, err = parseReason(name)
	return at, reason, err
}
