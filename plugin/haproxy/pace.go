package haproxy

import (
	"context"
	"time"
)

// pushRate is how many responses a second are pushed at most while clients
// shake hands. Up to 3.0 (and the first releases of 3.2), HAProxy replaces a
// response while handshakes copy it. BenchmarkDamage finds one damaged handshake
// in tens of thousands of pushes of that very certificate, whatever the pace: to
// push only what has changed is what counts. The rate bounds the rest, and what
// HAProxy spends on us, and brings a thousand certificates in within 2 s.
const pushRate = 1000

// pace waits until n more responses may be pushed.
func (s *session) pace(ctx context.Context, n int) error {
	if s.info.Handshakes == 0 {
		return nil
	}
	if wait := time.Until(s.c.nextPush); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return &Error{Kind: KindTimeout, Socket: s.c.config.Socket, Detail: "stopped before a push", Err: context.Cause(ctx)}
		}
	}
	s.c.nextPush = time.Now().Add(time.Duration(n) * time.Second / pushRate)
	return nil
}
