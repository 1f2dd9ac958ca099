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
	most    atomic.Int32 // connections at a time
	asked   atomic.Int32
	current atomic.Int32
}

// newFake listens on a unix socket. say gets the first line of each
// connection and returns the answer; false leaves the connection open.
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
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	answer, closes := say(strings.TrimSpace(line))
	_, _ = conn.Write([]byte(answer))
	if !closes {
		<-done
	}
}
