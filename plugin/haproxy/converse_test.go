package haproxy

import (
	"testing"
	"time"
)

// Whoever is asked much at once has as long for each question as whoever is asked
// little.
func TestLongConversationsHaveMoreTime(t *testing.T) {
	c := &Client{config: Config{Timeout: 10 * time.Second}}
	for commands, want := range map[int]time.Duration{1: 10 * time.Second, timed: 10 * time.Second, timed + 1: 20 * time.Second, talk: 40 * time.Second} {
		if got := c.patience(commands); got != want {
			t.Errorf("%d commands: %s, want %s", commands, got, want)
		}
	}
}
