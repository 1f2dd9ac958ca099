package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// defaultWidth is that of what does not say how wide it is.
const defaultWidth = 80

// terminalOf is the terminal behind w that lines can be drawn on; nil where there
// is none, or one that can't move its cursor.
func (e environment) terminalOf(w io.Writer) *os.File {
	if through, ok := w.(*above); ok {
		w = through.to
	}
	f, ok := w.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return nil
	}
	if kind, _ := e.lookup("TERM"); kind == "dumb" {
		return nil
	}
	return f
}

// coloured reports whether what is written to w may have colours: on a terminal,
// unless NO_COLOR is set to anything (https://no-color.org).
func (e environment) coloured(w io.Writer) bool {
	no, _ := e.lookup("NO_COLOR")
	return no == "" && e.terminalOf(w) != nil
}

// heightOf is how many lines a terminal has now, 0 where it does not say.
func heightOf(f *os.File) int {
	if f == nil {
		return 0
	}
	_, height, err := term.GetSize(int(f.Fd()))
	if err != nil || height <= 0 {
		return 0
	}
	return height
}

// widthOf is how many columns a terminal has now.
func widthOf(f *os.File) int {
	if f == nil {
		return defaultWidth
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return defaultWidth
	}
	return width
}
