package logtest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Whoever reads while many write has each line once, and whole.
func TestTextIsTakenOnce(t *testing.T) {
	var text Text
	var writers sync.WaitGroup
	for i := range 100 {
		writers.Go(func() { fmt.Fprintf(&text, "line %d\n", i) })
	}
	got := text.Take()
	writers.Wait()
	if rest := text.String(); strings.Count(got+rest, "\n") != 100 || rest != text.Take() || text.String() != "" {
		t.Errorf("%d lines", strings.Count(got+rest, "\n"))
	}
}
