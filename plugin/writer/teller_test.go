package writer

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func TestFailingTargetDelaysNothing(t *testing.T) {
	b := newBench(t)
	good, bad, stuck := newRecorder("good"), newRecorder("bad"), newStuck()
	bad.fail = func(s Staple) error {
		if s.Certificate.Name == "one.example.com" {
			return &Error{Reason: "permission", Err: errDown}
		}
		return nil
	}
	one, two := b.issue("one.example.com"), b.issue("two.example.com")
	one.Targets = []Target{stuck, bad, good}
	two.Targets = []Target{stuck, bad, good}
	b.writer.Set([]Certificate{one, two})
	src := newFeed()
	b.run(src)
	first, other := b.answer(one, time.Hour), b.answer(two, time.Minute)
	src.list <- []record.Staple{from(one, first), from(two, other)}
	clocktest.Eventually(t, "the good target", func() bool { return good.has(one.Name, first) && good.has(two.Name, other) })
	clocktest.Eventually(t, "the other certificate at the bad target", func() bool { return bad.has(two.Name, other) })
	clocktest.Eventually(t, "failures to be counted", func() bool {
		s := b.state(one)
		return s.Targets[1].Failures > 2 && s.Targets[1].Reason == "permission"
	})
	if reason, text := b.state(one).Failing(); reason != "permission" || text != "bad: connection refused: down" {
		t.Errorf("%s %s", reason, text)
	}
	b.holds(one.Path+".ocsp", first)

	// Of what comes while it fails, only the newest is installed then.
	second := b.answer(one, time.Minute)
	src.list <- []record.Staple{from(one, second)}
	clocktest.Eventually(t, "the second", func() bool { return good.has(one.Name, second) })
	bad.set(func() { bad.fail = nil })
	clocktest.Eventually(t, "the bad target to be told", func() bool { return bad.has(one.Name, second) })
	clocktest.Eventually(t, "its state", func() bool { return b.state(one).Targets[1].Reason == "" })
}

// stuck is a target that answers only to the end of ctx.
type stuck struct{ *recorder }

func newStuck() *stuck { return &stuck{newRecorder("stuck")} }

func (s *stuck) Install(ctx context.Context, _ Staple) (Outcome, error) {
	<-ctx.Done()
	return Outcome{}, ctx.Err()
}

func TestRestartBehindTargetInstallsAgain(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	target.epoch = "pid 1"
	one, two := b.issue("one.example.com"), b.issue("two.example.com")
	one.Targets, two.Targets = []Target{target}, []Target{target}
	b.writer.Set([]Certificate{one, two})
	src := newFeed()
	b.run(src)
	first, other := b.answer(one, time.Minute), b.answer(two, time.Minute)
	src.list <- []record.Staple{from(one, first), from(two, other)}
	clocktest.Eventually(t, "both", func() bool { return target.has(one.Name, first) && target.has(two.Name, other) })
	clocktest.Eventually(t, "both states", func() bool { return b.state(one).Targets[0].How == "set" && b.state(two).Targets[0].How == "set" })
	calls := target.count()
	if err := os.Remove(two.Path + ".ocsp"); err != nil {
		t.Fatal(err)
	}
	target.set(func() { target.told, target.epoch = map[string]Staple{}, "pid 2" })
	clocktest.Eventually(t, "both again", func() bool { return target.has(one.Name, first) && target.has(two.Name, other) })
	clocktest.Eventually(t, "the file that was lost", func() bool { _, err := os.Stat(two.Path + ".ocsp"); return err == nil })
	b.holds(two.Path+".ocsp", other)
	if n := target.count(); n != calls+2 {
		t.Errorf("told %d times", n-calls)
	}
}

// TestOwnReloadIsNotARestart: a target that reloads would be told for ever.
func TestOwnReloadIsNotARestart(t *testing.T) {
	b := newBench(t)
	target := &reloader{recorder: newRecorder("reload")}
	one := b.issue("one.example.com")
	one.Targets = []Target{target}
	b.writer.Set([]Certificate{one})
	src := newFeed()
	b.run(src)
	src.list <- []record.Staple{from(one, b.answer(one, time.Minute))}
	clocktest.Eventually(t, "the reload", func() bool { return target.count() == 1 })
	asked := target.asked()
	clocktest.Eventually(t, "several looks", func() bool { return target.asked() > asked+5 })
	if n := target.count(); n != 1 {
		t.Errorf("reloaded %d times", n)
	}
}

// reloader has a new epoch after each Install.
type reloader struct {
	*recorder
	epochs int
}

func (r *reloader) Install(context.Context, Staple) (Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	return Outcome{How: Reloaded}, nil
}

func (r *reloader) Epoch(context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epochs++
	return string(rune('0' + r.calls)), nil
}

func (r *reloader) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epochs
}

func TestNothingIsInstalledNearItsEnd(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	target.epoch = "pid 1"
	one, two := b.issue("one.example.com"), b.issue("two.example.com")
	one.Targets, two.Targets = []Target{target}, []Target{target}
	b.writer.Set([]Certificate{one, two})
	src := newFeed()
	b.run(src)
	first := b.answer(one, time.Minute)
	src.list <- []record.Staple{from(one, first)}
	clocktest.Eventually(t, "the first", func() bool { return b.state(one).Targets[0].How == "set" })
	b.clock.add(55 * time.Minute)
	target.set(func() { target.told, target.epoch = map[string]Staple{}, "pid 2" })
	late := b.answer(two, time.Minute)
	clocktest.Eventually(t, "the restart to be seen", func() bool {
		select {
		case src.list <- []record.Staple{from(two, late)}:
		default:
		}
		return target.has(two.Name, late)
	})
	if target.has(one.Name, first) {
		t.Error("a staple with 5 minutes left was installed: HAProxy would drop what it has")
	}
	b.holds(one.Path+".ocsp", first)
}

func TestRefusedFolderIsTriedAgain(t *testing.T) {
	b := newBench(t)
	target := newRecorder("haproxy")
	c := b.issue("www.example.com")
	c.Targets = []Target{target}
	if err := os.Chmod(b.folder, 0o777); err != nil {
		t.Fatal(err)
	}
	b.writer.Set([]Certificate{c})
	src := newFeed()
	b.run(src)
	der := b.answer(c, time.Minute)
	src.list <- []record.Staple{from(c, der)}
	clocktest.Eventually(t, "the target, file or not", func() bool { return target.has(c.Name, der) })
	target.set(func() {
		if f := target.told[c.Name].File; f != "" {
			t.Errorf("told of a file that is not there: %s", f)
		}
	})
	clocktest.Eventually(t, "the state", func() bool { return b.state(c).Reason == ReasonUntrusted })
	b.holds(c.Path+".ocsp", nil)
	if err := os.Chmod(b.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	clocktest.Eventually(t, "the file", func() bool { return b.state(c).Filed })
	b.holds(c.Path+".ocsp", der)
	clocktest.Eventually(t, "the target to be told of the file", func() bool {
		target.mu.Lock()
		defer target.mu.Unlock()
		return target.told[c.Name].File == c.Path+".ocsp"
	})
	b.onlyResponses()
}

func TestTargetsComeAndGo(t *testing.T) {
	b := newBench(t)
	before, after := newRecorder("before"), newRecorder("after")
	c := b.issue("www.example.com")
	c.Targets = []Target{before}
	b.writer.Set([]Certificate{c})
	src := newFeed()
	stop := b.run(src)
	first := b.answer(c, time.Hour)
	src.list <- []record.Staple{from(c, first)}
	clocktest.Eventually(t, "the target", func() bool { return before.has(c.Name, first) })
	c.Targets = []Target{after}
	b.writer.Set([]Certificate{c})
	clocktest.Eventually(t, "the new target", func() bool { return after.has(c.Name, first) })
	calls := before.count()
	second := b.answer(c, time.Minute)
	src.list <- []record.Staple{from(c, second)}
	clocktest.Eventually(t, "the second", func() bool { return after.has(c.Name, second) })
	if before.count() != calls {
		t.Error("the target that went was told")
	}
	stop()

	// Run again, as after an error of the source: told again, once.
	calls = after.count()
	b.run(newFeed())
	clocktest.Eventually(t, "the target after a second start", func() bool { return after.count() == calls+1 })
}
