// Package logtest keeps what tests read while it is written: logs, and the output
// of programs.
package logtest

import (
	"bytes"
	"sync"
)

// Text is what was written. The zero value is empty; it is safe for concurrent
// use.
type Text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to it.
func (t *Text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

// String is all since the last Take.
func (t *Text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// Take is String, and has the next one begin anew.
func (t *Text) Take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.b.String()
	t.b.Reset()
	return s
}
