package haproxy_test

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fake is a listener that says what a test wants said.
type fake struct {
	socket  string
	silent  bool         // answers "prompt" like any other word
	most    atomic.Int32 // connections at a time
	asked   atomic.Int32
	current atomic.Int32
}

// newFake listens on a unix socket. say gets the first line of each
// connection, or after "prompt" every other line, and returns the answer; false
// leaves the connection open, and ends a conversation in the middle.
func newFake(t testing.TB, say func(line string) (string, bool)) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "hap")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{socket: filepath.Join(dir, "s")}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	t.Cleanup(func() {
		close(done)
		l.Close()
		all.Wait()
		os.RemoveAll(dir)
	})
	// Ends when the listener is closed.
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// Ends with its answer, or with the test.
			all.Go(func() {
				defer conn.Close()
				f.serve(conn, say, done)
			})
		}
	})
	return f
}

func (f *fake) serve(conn net.Conn, say func(string) (string, bool), done <-chan struct{}) {
	f.asked.Add(1)
	now := f.current.Add(1)
	defer f.current.Add(-1)
	for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
	}
	lines := bufio.NewReader(conn)
	line, err := lines.ReadString('\n')
	if err != nil {
		return
	}
	if line = strings.TrimSpace(line); line == "prompt" && !f.silent {
		f.converse(conn, lines, say)
		return
	}
	answer, closes := say(line)
	_, _ = conn.Write([]byte(answer))
	if !closes {
		<-done
	}
}

// converse answers each line and then prompts, as HAProxy's workers do.
func (f *fake) converse(conn net.Conn, lines *bufio.Reader, say func(string) (string, bool)) {
	_, _ = conn.Write([]byte("\n> "))
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		answer, goesOn := say(strings.TrimSpace(line))
		_, _ = conn.Write([]byte(answer))
		if !goesOn {
			return
		}
		_, _ = conn.Write([]byte("\n> "))
	}
}
