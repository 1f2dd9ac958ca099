package writer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// forgetful is a server that others change.
type forgetful struct{ *recorder }

func (f *forgetful) Install(ctx context.Context, s Staple) (Outcome, error) {
	if f.has(s.Certificate.Name, s.Facts.DER) {
		f.set(func() { f.calls++ })
		return Outcome{How: Unchanged, Served: true}, nil
	}
	return f.recorder.Install(ctx, s)
}

// What others took away from a server or a file comes back without a restart,
// and comparing does not change what is known of the installation.
func TestDriftIsRepaired(t *testing.T) {
	b := newBench(t)
	b.restart(func(c *Config) { c.CompareInterval = 20 * time.Millisecond })
	target := &forgetful{newRecorder("haproxy")}
	target.epoch = "pid 1"
	silent := newRecorder("exec") // no epoch: what it does must not be done again
	var certs []Certificate
	var list []record.Staple
	for i := range 20 {
		c := b.issue(fmt.Sprintf("c%d.example.com", i))
		c.Targets = []Target{target, silent}
		certs = append(certs, c)
		list = append(list, from(c, b.answer(c, time.Minute)))
	}
	b.writer.Set(certs)
	src := newFeed()
	b.run(src)
	src.list <- list
	all := func() bool {
		for i, c := range certs {
			if !target.has(c.Name, list[i].DER) || !silent.has(c.Name, list[i].DER) {
				return false
			}
		}
		return true
	}
	clocktest.Eventually(t, "all", all)
	clocktest.Eventually(t, "all to be noted", func() bool {
		return !slices.ContainsFunc(b.writer.States(), func(s State) bool { return s.Targets[0].How == "" || s.Targets[1].How == "" })
	})
	told := silent.count()
	before := b.state(certs[3]).Targets[0]
	calls := target.count()
	clocktest.Eventually(t, "comparisons", func() bool { return target.count() > calls+40 })
	if after := b.state(certs[3]).Targets[0]; after != before || after.How != "set" {
		t.Errorf("%+v, was %+v", after, before)
	}
	target.set(func() { delete(target.told, certs[7].Name) })
	if err := os.Remove(certs[8].Path + ".ocsp"); err != nil {
		t.Fatal(err)
	}
	clocktest.Eventually(t, "what was taken away", all)
	clocktest.Eventually(t, "the file", func() bool { _, err := os.Stat(certs[8].Path + ".ocsp"); return err == nil })
	if n := silent.count() - told; n != 0 {
		t.Errorf("a target without an epoch was told %d times more", n)
	}
}
