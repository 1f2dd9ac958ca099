package fetcher

import (
	"math/rand/v2"
	"testing"
	"time"
)

var (
	noon    = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	defined = pace{min: 5 * time.Minute, max: time.Hour}
)

// lived is a response that is so old and so long valid at noon.
func lived(old, valid time.Duration) life {
	return life{this: noon.Add(-old), until: noon.Add(-old).Add(valid)}
}

func TestNext(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name   string
		l      life
		p      pace
		jitter float64
		want   time.Duration // after noon
	}{
		{"half-life between the bounds", lived(0, 40*time.Minute), defined, 0, 20 * time.Minute},
		{"half-life of what is a little old", lived(4*time.Minute, 40*time.Minute), defined, 0, 16 * time.Minute},
		{"not after max", lived(0, 7*day), defined, 0, time.Hour},
		{"not before min", lived(0, 8*time.Minute), defined, 0, 5 * time.Minute},
		{"but before it ends", lived(0, 4*time.Minute), defined, 0, 210 * time.Second},
		{"valid for seconds", lived(0, 16*time.Second), defined, 0, 14 * time.Second},
		{"half-life, though min is longer than life", lived(0, time.Hour), pace{2 * time.Hour, 3 * time.Hour}, 0, 52*time.Minute + 30*time.Second},
		{"nothing newer yet: half of what is left", lived(90*time.Minute, 2*time.Hour), defined, 0, 15 * time.Minute},
		{"nothing newer yet, within max", lived(4*day, 7*day), defined, 0, time.Hour},
		{"nothing newer yet, within min", lived(7*day-8*time.Minute, 7*day), defined, 0, 5 * time.Minute},
		{"minutes before the end: a quarter of what is left, or life's hundredth", lived(50*time.Minute, 54*time.Minute), defined, 0, time.Minute},
		{"ended: no hurry without end", lived(8*day, 7*day), defined, 0, 5 * time.Minute},
		{"ended, and short-lived", lived(time.Minute, 20*time.Second), defined, 0, time.Second},
		{"jitter pulls earlier", lived(0, 7*day), defined, 0.5, 57*time.Minute + 15*time.Second},
		{"jitter does not go below min", lived(0, 8*time.Minute), defined, 0.99, 5 * time.Minute},
		{"jitter leaves what ends soon", lived(0, 4*time.Minute), defined, 0.99, 210 * time.Second},
	} {
		if got := c.l.next(noon, c.p, c.jitter).Sub(noon); got != c.want {
			t.Errorf("%s: after %v, want %v", c.name, got, c.want)
		}
	}
}

// TestNextHoldsItsBounds tries what nobody thought of.
func TestNextHoldsItsBounds(t *testing.T) {
	for range 20000 {
		valid := time.Duration(1+rand.Int64N(int64(20*24*time.Hour/time.Second))) * time.Second
		l := lived(time.Duration(rand.Int64N(int64(valid))), valid)
		p := pace{min: time.Duration(1+rand.IntN(3600)) * time.Second}
		p.max = p.min + time.Duration(rand.IntN(86400))*time.Second
		at := l.next(noon, p, rand.Float64())
		wait, left := at.Sub(noon), l.until.Sub(noon)
		switch {
		case wait > p.max:
			t.Fatalf("%+v %+v: after %v, more than max", l, p, wait)
		case wait < min(p.min, shortest):
			t.Fatalf("%+v %+v: after %v: no pause", l, p, wait)
		case left > 10*time.Second && left > valid/20 && !at.Before(l.until):
			t.Fatalf("%+v %+v: after %v, when it has ended", l, p, wait)
		case wait < p.min && left > p.min+time.Hour+valid/8:
			t.Fatalf("%+v %+v: after %v, less than min without need", l, p, wait)
		}
	}
}

func TestFirstSpreadsWhatIsStored(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name     string
		l        life
		jitter   float64
		from, to time.Duration
	}{
		{"young: latest", lived(time.Hour, 7*day), 0, time.Hour, time.Hour},
		{"young: earliest", lived(time.Hour, 7*day), 0.999, 5 * time.Minute, 6 * time.Minute},
		{"past its half: latest", lived(5*day, 7*day), 0, time.Hour, time.Hour},
		{"past its half: earliest", lived(5*day, 7*day), 0.999, 0, time.Minute},
		{"ended", lived(8*day, 7*day), 0.5, 0, 0},
	} {
		if got := c.l.first(noon, defined, c.jitter).Sub(noon); got < c.from || got > c.to {
			t.Errorf("%s: after %v, want %v to %v", c.name, got, c.from, c.to)
		}
	}
}

func TestDueInAPass(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name string
		l    life
		want bool
	}{
		{"new", lived(0, 7*day), false},
		{"older than min, younger than half and max", lived(20*time.Minute, time.Hour), false},
		{"past its half", lived(31*time.Minute, time.Hour), true},
		{"older than max", lived(61*time.Minute, 7*day), true},
		{"past its half, younger than min", lived(3*time.Minute, 5*time.Minute), false},
		{"about to end, younger than min", lived(270*time.Second, 5*time.Minute), true},
		{"ended", lived(2*time.Minute, time.Minute), true},
		{"from a clock ahead of ours", lived(-2*time.Minute, 7*day), false},
	} {
		if got := c.l.due(noon, defined); got != c.want {
			t.Errorf("%s: due %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRetryAfterFailure(t *testing.T) {
	far := noon.Add(7 * 24 * time.Hour)
	for _, c := range []struct {
		name   string
		r      retry
		p      pace
		jitter float64
		want   time.Duration
	}{
		{"first", retry{failures: 1, until: far}, defined, 0.5, time.Minute},
		{"doubles", retry{failures: 4, until: far}, defined, 0.5, 8 * time.Minute},
		{"up to max", retry{failures: 1000, until: far}, defined, 0.5, time.Hour},
		{"jitter below", retry{failures: 4, until: far}, defined, 0, 4 * time.Minute},
		{"jitter above", retry{failures: 4, until: far}, defined, 0.999, 12 * time.Minute},
		{"jitter within max", retry{failures: 10, until: far}, defined, 0.999, time.Hour},
		{"from min, if that is shorter", retry{failures: 1, until: far}, pace{10 * time.Second, time.Hour}, 0.5, 10 * time.Second},
		{"nothing held", retry{failures: 3}, defined, 0.5, 4 * time.Minute},
		{"ends soon", retry{failures: 10, until: noon.Add(20 * time.Minute)}, defined, 0.5, 5 * time.Minute},
		{"ends at once", retry{failures: 10, until: noon.Add(time.Second)}, defined, 0.5, 30 * time.Second},
		{"ended", retry{failures: 3, until: noon.Add(-time.Hour)}, defined, 0.5, 4 * time.Minute},
		{"just issued", retry{failures: 10, quick: true}, defined, 0.5, time.Minute},
		{"asked for more", retry{failures: 1, until: far, asked: 10 * time.Minute}, defined, 0.5, 10 * time.Minute},
		{"asked for less", retry{failures: 4, until: far, asked: time.Second}, defined, 0.5, 8 * time.Minute},
		{"asked for too much", retry{failures: 1, until: far, asked: 24 * time.Hour}, defined, 0.5, time.Hour},
		{"asked for more than is left", retry{failures: 1, until: noon.Add(20 * time.Minute), asked: time.Hour}, defined, 0.5, 10 * time.Minute},
	} {
		got := c.r.after(noon, c.p, c.jitter).Sub(noon).Round(time.Second)
		if diff := (got - c.want).Abs(); diff > time.Second {
			t.Errorf("%s: after %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzNext holds the schedule against its promises, whatever is held and
// whatever went before.
func FuzzNext(f *testing.F) {
	f.Add(int64(0), int64(7*24*3600), int64(300), int64(3600), int64(0), uint8(0), uint8(0), 0.5)
	f.Add(int64(3600), int64(4000), int64(300), int64(3600), int64(60), uint8(9), uint8(1), 0.99)
	f.Add(int64(30), int64(20), int64(1), int64(2), int64(-60), uint8(200), uint8(6), 0.0)
	f.Add(int64(-60), int64(8), int64(7200), int64(10800), int64(7), uint8(1), uint8(3), 0.1)
	f.Fuzz(func(t *testing.T, old, valid, low, more, fresh int64, failures, flags uint8, jitter float64) {
		seconds := func(n, from, to int64) time.Duration {
			return time.Duration(from+int64(uint64(n)%uint64(to-from))) * time.Second
		}
		if !(jitter >= 0 && jitter < 1) {
			return
		}
		l := lived(seconds(old, -300, 30*86400), seconds(valid, 1, 30*86400))
		p := pace{min: seconds(low, 1, 86400)}
		p.max = p.min + seconds(more, 0, 86400)
		h := history{failures: int(failures), found: flags&1 != 0, quick: flags&2 != 0}
		if flags&4 != 0 {
			h.freshUntil = noon.Add(seconds(fresh, -86400, 86400))
		}
		ended := !l.until.After(noon)
		wait := func(now time.Time) time.Duration { return next(l, h, now, p, jitter).Sub(now) }
		got, left := wait(noon), l.until.Sub(noon)
		base := max(min(p.min, time.Minute), shortest)
		margin := l.until.Sub(l.last(p))
		switch {
		case got > max(p.max, base):
			t.Errorf("after %v, later than max_delay", got)
		case h.failures > 0:
			if got < base/2 && got < p.min {
				t.Errorf("a retry after %v, without a pause", got)
			}
			if want := max(base/2, left/4); !ended && got > want {
				t.Errorf("a retry after %v with %v left", got, left)
			}
		case h.found:
			if got < 0 || !ended && left > margin+l.floor(noon, p) && got > left-margin {
				t.Errorf("what was found is fetched after %v, with %v left", got, left)
			}
		default:
			if got < min(p.min, shortest) || got < p.min && left-margin >= p.min {
				t.Errorf("after %v, earlier than min_delay without need: %v left", got, left)
			}
			if floor := l.floor(noon, p); left > margin+floor && got > left-margin {
				t.Errorf("after %v, %v before the end: less than the margin of %v", got, left-got, margin)
			}
			if h.freshUntil = (time.Time{}); got > wait(noon) {
				t.Errorf("max-age has put it off")
			}
		}
		// With nothing newer, the nearer its end the sooner it is asked again.
		h.freshUntil, h.found = time.Time{}, false
		for now, last := latest(noon, l.half()), time.Duration(1<<62); now.Before(l.until); now = now.Add(max(l.until.Sub(l.this)/50, time.Second)) {
			w := wait(now)
			if w > last {
				t.Fatalf("%v left: after %v, but %v when more was left", l.until.Sub(now), w, last)
			}
			last = w
		}
	})
}
