package record

import (
	"strings"
	"testing"
	"time"
)

func reloader(node string) Reloader {
	return Reloader{Instance: "i-" + node, Node: node, Job: "edge", Target: "haproxy"}
}

func TestReloadTurns(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	a, b, c := reloader("a"), reloader("b"), reloader("c")
	take := func(r Reload, who Reloader, most int, urgent bool, want bool) Reload {
		t.Helper()
		next, ok, _ := r.Take(who, most, urgent, now)
		if ok != want {
			t.Fatalf("%s takes a turn beside %+v: %v", who.Node, r, ok)
		}
		return next
	}
	var r Reload
	r = take(r, a, 1, false, true)
	take(r, b, 1, true, false)
	r = take(r, a, 1, false, true) // still its own
	green := a
	green.Target = "haproxy green"
	r = take(r, green, 1, false, true) // one node, two servers
	if len(r.Holders) != 2 {
		t.Fatalf("%+v", r.Holders)
	}
	r = take(r, b, 2, false, true)
	take(r, c, 2, false, false)
	r = r.Give(a, "", now).Give(green, "", now)
	r = take(r, c, 2, false, true)

	// Nobody gives these back.
	now = now.Add(ReloadHold)
	r = take(r, a, 1, false, true)
	r = r.Give(a, strings.Repeat("[ALERT] ä", 100), now)
	if len(r.Holders) != 0 || len(r.Failed) != 1 || len(r.Failed[0].Error) > maxReloadError+5 {
		t.Fatalf("%+v", r)
	}
	_, ok, stopped := r.Take(b, 1, false, now)
	if ok || stopped == nil || stopped.Node != "a" {
		t.Fatalf("goes on after a failure: %v", stopped)
	}
	take(r, b, 1, true, true) // its staple is about to end
	take(r, a, 1, false, true)
	other := b
	other.Job = "other"
	take(r, other, 1, false, true)

	// Failing again does not stop the others for longer.
	first := now
	now = now.Add(ReloadStop / 2)
	r = r.Give(a, "again", now)
	take(r, b, 1, false, false)
	if now = first.Add(ReloadStop); len(r.Failed) != 1 || !r.Failed[0].Since.Equal(first) {
		t.Fatalf("%+v", r.Failed)
	}
	take(r, b, 1, false, true)
	r = r.Give(a, "", now)
	if len(r.Failed) != 0 {
		t.Fatalf("mended, and still %+v", r.Failed)
	}
}

func TestReloadWithWrongClocks(t *testing.T) {
	now := time.Now()
	r := Reload{
		Holders: []ReloadHolder{{Reloader: reloader("a"), Until: now.Add(24 * time.Hour)}},
		Failed:  []ReloadFailure{{Reloader: reloader("a"), Since: now.Add(time.Hour), At: now.Add(time.Hour)}, {Reloader: reloader("c"), Since: now, At: now.Add(-time.Minute)}},
	}
	if next, ok, stopped := r.Take(reloader("b"), 1, false, now); !ok || len(next.Failed) != 0 {
		t.Errorf("stopped by what can't be true: %v, %+v", stopped, next)
	}
}

func FuzzDecodeReload(f *testing.F) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	r, _, _ := Reload{}.Take(reloader("a"), 1, false, now)
	good, err := r.Give(reloader("b"), "no", now).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"holders":[{"until":"2026-11-21T12:01:00Z"}],"failed":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReload(b)
		if err != nil {
			return
		}
		next, ok, stopped := r.Take(reloader("x"), 1, false, now)
		if ok && stopped != nil {
			t.Error("granted and stopped")
		}
		next = next.Give(reloader("x"), "no", now)
		if b, err = next.Encode(); err == nil && len(b) > 2*maxReload {
			t.Errorf("%d bytes", len(b))
		}
	})
}
