package ration

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// What is said a thousand times at once are a few lines, the last of which says
// so; after a pause there are as many again, whichever way the clock went.
func TestAThousandAreAFewLines(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var l Lines
	for _, c := range []struct {
		when string
		now  time.Time
		want int
	}{
		{"at first", noon, Most},
		{"soon after", noon.Add(After), 0},
		{"after a pause", noon.Add(After + time.Second), Most},
		{"when the clock is set back", noon.Add(-time.Hour), Most},
	} {
		loud, last := 0, 0
		for i := range 1000 {
			level, more := l.Level(c.now, hclog.Warn)
			switch {
			case level == hclog.Warn:
				loud++
			case level != hclog.Debug:
				t.Errorf("%s: a line at %v", c.when, level)
			}
			if more != "" {
				last = i + 1
			}
		}
		if loud != c.want || last != c.want {
			t.Errorf("%s: %d lines, and the %d. says that there are more; want %d", c.when, loud, last, c.want)
		}
	}
}
