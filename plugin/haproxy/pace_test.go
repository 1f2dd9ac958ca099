package haproxy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPushesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{c: New(Config{Socket: "/s"})}
		took := func() time.Duration {
			began := time.Now()
			for range 10 {
				if err := s.pace(t.Context(), 100); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		if d := took(); d != 0 {
			t.Errorf("without handshakes, 1000 pushes took %s", d)
		}
		s.info.Handshakes = 1
		if d := took(); d != 900*time.Millisecond {
			t.Errorf("1000 pushes took %s", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.pace(ctx, 1); KindOf(err) != KindTimeout {
			t.Errorf("stopped: %v", err)
		}
	})
}
