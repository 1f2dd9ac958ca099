package writer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// lines are what is logged.
type lines struct{ logtest.Text }

func (l *lines) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: l, Level: hclog.Info, DisableTime: true})
}

// many makes certificates and a response for each, which lives for four days.
func (b *bench) many(n int, target Target) (certs []Certificate, answers []record.Staple) {
	b.t.Helper()
	all := testcatest.IssueMany(b.t, b.ca, testca.IssueOptions{}, n, "c%04d.example.com")
	for _, i := range all {
		path := filepath.Join(b.folder, filepath.Base(i.Path))
		if err := os.Rename(i.Path, path); err != nil {
			b.t.Fatal(err)
		}
		c := Certificate{
			ID: staple.ID(i.Leaf), Job: "edge", Name: i.Name, Path: path, Leaf: i.Leaf, Issuer: b.ca.Certificate(),
			IssuerInPEM: true, IssuerKnown: true, Names: []string{i.Name}, WriteFile: true, Targets: []Target{target},
		}
		certs = append(certs, c)
		answers = append(answers, from(c, b.answer(c, time.Minute, func(a *testca.Answer) { a.NextUpdate = b.clock.Now().Add(96 * time.Hour) })))
	}
	return certs, answers
}

// A server's socket that is away for a day, files that can't be written and a
// data_dir that is full make a handful of lines each, whatever the number of
// certificates, and so does their end.
func TestADayOfTroubleMakesAHandfulOfLines(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				log, target := &lines{}, newRecorder("haproxy")
				disk := &fullDisk{Store: b.data}
				disk.full.Store(true)
				b.restart(func(c *Config) {
					c.Store, c.Logger, c.Now = disk, log.logger(), time.Now
					c.EpochInterval, c.FirstRetry, c.LongestRetry = time.Hour, 10*time.Minute, 6*time.Hour
				})
				certs, answers := b.many(n, target)
				for _, c := range certs {
					if err := os.Mkdir(c.Path+".ocsp", 0o755); err != nil { // what no response can replace
						t.Fatal(err)
					}
				}
				noon := time.Now().Add(12 * time.Hour)
				target.fail = func(Staple) error {
					if time.Now().Before(noon) {
						return &Error{Reason: "socket", Err: errors.New("connect: connection refused")}
					}
					return &Error{Reason: "timeout", Err: errors.New("no answer")}
				}
				b.writer.Set(certs)
				src := newFeed()
				stop := b.run(src)
				defer stop()
				src.list <- answers
				clocktest.Pass(24 * time.Hour)
				all := log.Take()
				warnings := strings.Count(all, "[WARN]")
				if lines := strings.Count(all, "\n"); lines != warnings || warnings < 3 || warnings > 20 {
					t.Errorf("%d lines, %d of them warnings:\n%s", lines, warnings, all)
				}
				for _, reason := range []string{ReasonStore, "socket", "timeout"} {
					if got := strings.Count(all, "reason="+reason+" "); n > 1 && (got < loudFailures || got > 10) {
						t.Errorf("%s:\n%s", reason, all)
					}
				}
				disk.full.Store(false)
				target.set(func() { target.fail = nil })
				for _, c := range certs {
					if err := os.Remove(c.Path + ".ocsp"); err != nil {
						t.Fatal(err)
					}
				}
				clocktest.Pass(12 * time.Hour)
				all = log.Take()
				for _, end := range []string{"kept in data_dir again", "can be applied again", "target works again"} {
					if strings.Count(all, end) < 1 || strings.Count(all, end) > 2 { // a line for each reason
						t.Errorf("%q:\n%s", end, all)
					}
				}
				if strings.Contains(all, "[WARN]") || strings.Count(all, "\n") > ration.Most+4 {
					t.Errorf("afterwards:\n%s", all)
				}
			})
		})
	}
}

// What is in trouble all day does not silence what joins it.
func TestAComplaintHasRoomForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.restart(func(c *Config) { c.Now = time.Now })
		level := func() hclog.Level {
			var place *complaint
			level, _ := b.writer.complain(&place, unfiled, "rights")
			return level
		}
		for i := range 5 {
			if got, want := level(), hclog.Warn; i < loudFailures && got != want || i >= loudFailures && got != hclog.Debug {
				t.Errorf("the %d. is at %v", i, got)
			}
		}
		clocktest.Pass(2 * time.Hour)
		if first, second := level(), level(); first != hclog.Warn || second != hclog.Debug {
			t.Errorf("two hours later: %v, %v", first, second)
		}
	})
}
