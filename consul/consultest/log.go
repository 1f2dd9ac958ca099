package consultest

import (
	"bytes"
	"os"
	"path/filepath"
)

// tailLines is how much of a server's log a failed test shows.
const tailLines = 40

func (s *Server) logFile() string { return filepath.Join(s.folder, "consul.log") }

// readLog returns what the server has logged in all its runs, or why that can't be read.
func (s *Server) readLog() []byte {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// logTail returns the last lines of the server's log.
func (s *Server) logTail() string {
	lines := bytes.SplitAfter(s.readLog(), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-tailLines-1):], nil))
}

// logShowsPortTaken: Consul reports a port that it can't listen on in its log alone.
func (s *Server) logShowsPortTaken() bool {
	return bytes.Contains(s.readLog(), []byte("address already in use"))
}
