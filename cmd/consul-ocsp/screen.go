package main

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// clearLine takes the cursor to the first column and empties its line.
const clearLine = "\r\x1b[K"

// screen is a terminal whose last line is drawn again and again. What others
// write there through above comes to stand over it, and never in it.
type screen struct {
	mu   sync.Mutex
	file *os.File
	last string
}

// draw shows a line in place of the last one; "" shows none. One that is too
// long is cut: a line that runs over can't be drawn again.
func (s *screen) draw(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if width := widthOf(s.file); len(line) >= width {
		line = line[:width-1] // one column less: some terminals wrap at the last
	}
	if line == s.last {
		return
	}
	s.last = line
	fmt.Fprint(s.file, clearLine, line)
}

// above writes whole lines over the one that is drawn.
type above struct {
	screen *screen
	to     io.Writer
}

// Write is given whole lines by all who use it.
func (a *above) Write(p []byte) (int, error) {
	a.screen.mu.Lock()
	defer a.screen.mu.Unlock()
	if a.screen.last == "" {
		return a.to.Write(p)
	}
	fmt.Fprint(a.screen.file, clearLine)
	n, err := a.to.Write(p)
	fmt.Fprint(a.screen.file, a.screen.last)
	return n, err
}
