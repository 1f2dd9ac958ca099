package hclconfig

import (
	"fmt"
	"strings"
	"time"
)

const (
	// instant is the least duration where none may be 0.
	instant = time.Millisecond
	day     = 24 * time.Hour
)

// short writes a duration without the zero units of time.Duration.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// bounds says what a duration may be.
func bounds(least, most time.Duration) string {
	switch least {
	case 0:
		return fmt.Sprintf("it is from 0 to %s", short(most))
	case instant:
		return fmt.Sprintf("it is more than 0 and at most %s", short(most))
	}
	return fmt.Sprintf("it is from %s to %s", short(least), short(most))
}
