package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// drainIdle is when a pipe that nobody writes to is left alone: it may be
	// one that is never closed.
	drainIdle = 250 * time.Millisecond
	// drainLimit bounds the whole of it.
	drainLimit = 5 * time.Second
	// drainPoll is how soon the end of ctx is noticed.
	drainPoll = 50 * time.Millisecond
)

// drain reads a pipe or socket to its end and forgets what was in it, so that
// who writes there need not know that nobody wants it: Consul hands a watch's
// handler all that it watches. Terminals and files are left alone.
func drain(ctx context.Context, r io.Reader) {
	f, ok := r.(*os.File)
	if !ok {
		return
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	buffer := make([]byte, 64<<10)
	begun := time.Now()
	heard := begun
	for ctx.Err() == nil && time.Since(begun) < drainLimit && time.Since(heard) < drainIdle {
		n, err := unix.Poll(fds, int(drainPoll.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR) || err == nil && n == 0:
			continue
		case err != nil:
			return
		}
		if n, err := unix.Read(int(fds[0].Fd), buffer); n <= 0 && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return // its end
		}
		heard = time.Now()
	}
}
