package canary

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

var (
	first  = strings.Repeat("a", 64)
	second = strings.Repeat("b", 64)
)

// fleet is a board with two nodes that see at once what the commands did. It can
// fail at any write, which a Consul can't be made to.
type fleet struct {
	dir     string
	kept    record.Canary
	writes  int
	cut     int    // the write after which this leader is gone; 0: it stays
	gone    func() // ends the leader
	blind   string // a node that sees nothing
	failure error
	told    []Failure
}

func (f *fleet) ran(command string) int {
	b, _ := os.ReadFile(filepath.Join(f.dir, command))
	return strings.Count(string(b), "\n")
}

func (f *fleet) id() string {
	return strings.Repeat(string(rune('a'+f.ran("renew"))), 64)
}

func (f *fleet) Canary(_ context.Context, job string) (record.Canary, error) {
	if f.kept.Job == "" {
		return record.Canary{Job: job}, f.failure
	}
	return f.kept, f.failure
}

func (f *fleet) KeepCanary(ctx context.Context, c record.Canary) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text, err := c.Encode()
	if err == nil {
		f.kept, err = record.DecodeCanary(c.Job, text)
	}
	if f.writes++; f.writes == f.cut {
		f.gone()
	}
	return err
}

func (f *fleet) Nodes(context.Context, []string) (map[string]record.Node, error) {
	nodes, r := map[string]record.Node{}, f.kept.Round
	for _, name := range []string{"node-1", "node-2"} {
		c := record.NodeCanary{Job: "edge", ID: f.id(), Round: r.Started, CanaryNode: record.CanaryNode{Error: "nothing yet"}}
		if r.Phase != "" && name != f.blind {
			c.Applied, c.Seen, c.Error = r.Started.Add(time.Second), r.Started.Add(2*time.Second), ""
			if f.id() != r.ID {
				c.Good = time.Now()
			}
		}
		nodes[name] = record.Node{Node: name, Seen: time.Now(), Canaries: []record.NodeCanary{c}}
	}
	return nodes, nil
}

func (f *fleet) Meta(_ context.Context, id string) (record.Meta, bool, error) {
	m := record.Meta{Status: "good", Until: time.Now().Add(time.Hour)}
	if id != f.id() || f.ran("revoke") > f.ran("renew") {
		m.Status = "revoked"
	}
	return m, true, nil
}

func newFleet(t *testing.T) *fleet { return &fleet{dir: t.TempDir()} }

// lead runs a leader for so long, or until it is cut off.
func (f *fleet) lead(t *testing.T, d time.Duration, change func(*Config)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	f.gone, f.writes = cancel, 0
	sh := func(name string) []string { return []string{"sh", "-c", "echo >> " + filepath.Join(f.dir, name)} }
	c := Config{
		Settings: Settings{Job: "edge", Name: "canary", Revoke: sh("revoke"), Renew: sh("renew"), Every: 24 * time.Hour, Within: 2 * time.Hour, Timeout: time.Minute},
		Board:    f, Logger: hclog.NewNullLogger(), Known: func() map[string]bool { return map[string]bool{first[:12]: true} },
		Certificate: func() (Certificate, bool) { return Certificate{ID: f.id()}, true },
		Tell:        func(x Failure) { f.told = append(f.told, x) },
	}
	if change != nil {
		change(&c)
	}
	New(c).Run(ctx, nil)
}

func (f *fleet) reasons() string {
	var list []string
	for _, x := range f.told {
		list = append(list, x.Reason)
	}
	return strings.Join(list, " ")
}

// Whatever a leader wrote last, the next one ends the round: revoke ran once at
// most, renew at least once, and nothing begins again within the day.
func TestLeadersMayGoAtAnyTime(t *testing.T) {
	for cut := 1; cut <= 7; cut++ {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.cut = cut
				f.lead(t, time.Hour, nil)
				f.cut = 0
				f.lead(t, 20*time.Hour, nil)
				if f.ran("revoke") > 1 || f.ran("renew") == 0 || f.kept.Round.Phase != record.CanaryEnded {
					t.Errorf("revoke ran %d times, renew %d: %+v", f.ran("revoke"), f.ran("renew"), f.kept.Round)
				}
				if cut > 1 && (f.reasons() != "" || f.kept.Success.IsZero() || f.ran("revoke") != 1) {
					t.Errorf("failed: %s", f.reasons())
				}
				// Nobody knows whether the first one came to run it.
				if cut == 1 && f.reasons() != ReasonRevoke+" "+ReasonUnpublished {
					t.Errorf("failed: %s", f.reasons())
				}
				if !f.kept.WasReplaced(first) || f.kept.Planned(first, time.Now()) {
					t.Error("the old one is not replaced")
				}
			})
		})
	}
}

// A node that sees nothing is named, twice: when it is revoked, and when it is
// good again. The round ends, and the next one comes a day after this one began.
func TestBlindNodeIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.blind = "node-2"
		f.lead(t, 6*time.Hour, nil)
		if f.reasons() != ReasonUnseen+" "+ReasonNotGood || !strings.HasPrefix(f.told[0].Error, "node-2: ") || strings.Contains(f.told[0].Error, "node-1") {
			t.Errorf("%+v", f.told)
		}
		began := f.kept.Round.Started
		f.blind = ""
		f.lead(t, 30*time.Hour, nil)
		if again := f.kept.Round.Started.Sub(began); again < 24*time.Hour || again > 24*time.Hour+time.Minute {
			t.Errorf("the next round came after %v", again)
		}
		if len(f.told) != 3 || f.told[2].Reason != "" || f.kept.Last == nil || f.kept.Failures[ReasonUnseen] != 1 {
			t.Errorf("%+v", f.told)
		}
	})
}

// Renew is tried until it works, and told once. Meanwhile what is revoked is no
// longer so by plan.
func TestRenewIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		fails := func(c *Config) { c.Settings.Renew = []string{"false"} }
		f.lead(t, time.Hour, fails)
		if !f.kept.Planned(first, time.Now()) {
			t.Error("it alarms at once")
		}
		f.lead(t, 4*time.Hour, fails)
		if f.reasons() != ReasonRenew || f.kept.Planned(first, time.Now()) || f.kept.Round.Phase != record.CanaryRenewing {
			t.Errorf("%s, %+v", f.reasons(), f.kept.Round)
		}
		f.lead(t, time.Hour, nil)
		if f.kept.Round.Phase != record.CanaryEnded || f.ran("renew") != 1 || f.ran("revoke") != 1 {
			t.Errorf("%+v", f.kept.Round)
		}
	})
}

// Nothing is revoked that should not be; that it is due is told once.
func TestNotReady(t *testing.T) {
	for name, change := range map[string]func(*Config, *fleet){
		"no certificate": func(c *Config, _ *fleet) { c.Certificate = func() (Certificate, bool) { return Certificate{}, false } },
		"shared": func(c *Config, _ *fleet) {
			c.Certificate = func() (Certificate, bool) { return Certificate{ID: first, Shared: "edge/www"}, true }
		},
		"revoked already": func(c *Config, _ *fleet) {
			c.Certificate = func() (Certificate, bool) { return Certificate{ID: second}, true }
		},
		"no record": func(_ *Config, f *fleet) { f.failure = errors.New("no answer") },
		"every year": func(c *Config, f *fleet) {
			f.kept = record.Canary{Job: "edge", Round: record.CanaryRound{Started: time.Now(), Phase: record.CanaryEnded, ID: first}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.lead(t, 20*time.Hour, func(c *Config) { change(c, f) })
				want := ReasonUnready
				if name == "no record" || name == "every year" {
					want = ""
				}
				if f.ran("revoke") > 0 || f.ran("renew") > 0 || f.reasons() != want {
					t.Errorf("revoke ran %d times, told: %+v", f.ran("revoke"), f.told)
				}
			})
		})
	}
}

// A clock that was a year ahead when the last leader wrote, or a record that says
// so, leaves no canary revoked for a year, and the next round comes.
func TestClockThatWasAhead(t *testing.T) {
	year := 366 * 24 * time.Hour
	t.Run("revoked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.blind = "node-2"
			f.kept = record.Canary{Job: "edge", Round: record.CanaryRound{
				Started: time.Now().Add(-time.Hour), Phase: record.CanaryRevoked, Until: time.Now().Add(year), ID: first,
				Nodes: map[string]record.CanaryNode{"node-2": {}},
			}}
			f.lead(t, 3*time.Hour, nil)
			if f.ran("renew") != 1 {
				t.Errorf("renew ran %d times: %+v", f.ran("renew"), f.kept.Round)
			}
		})
	})
	t.Run("ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.kept = record.Canary{Job: "edge", Round: record.CanaryRound{Started: time.Now().Add(year), Phase: record.CanaryEnded, ID: second}}
			f.lead(t, 23*time.Hour, nil)
			if f.ran("revoke") > 0 {
				t.Error("it is revoked too soon")
			}
			f.lead(t, 26*time.Hour, nil)
			if f.ran("revoke") != 1 || f.ran("renew") != 1 {
				t.Errorf("revoke ran %d times, renew %d", f.ran("revoke"), f.ran("renew"))
			}
			if f.writes > 30 {
				t.Errorf("%d writes", f.writes)
			}
		})
	})
}

// nobody is a board without nodes that counts how often they are asked for.
type nobody struct {
	*fleet
	asked int
}

func (n *nobody) Nodes(context.Context, []string) (map[string]record.Node, error) {
	n.asked++
	return nil, nil
}

// While no node has the canary the records of all are not read every few seconds.
func TestNodesAreAskedForSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		n := &nobody{fleet: f}
		f.lead(t, time.Hour, func(c *Config) { c.Board, c.Settings.Within = n, 10*time.Second })
		if n.asked < 10 || n.asked > 80 {
			t.Errorf("all nodes are read %d times in an hour", n.asked)
		}
	})
}

// Of what a record counts only what can fail is carried on.
func TestCountersOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.kept = record.Canary{Job: "edge", Failures: map[string]uint64{ReasonUnseen: 3}}
		for i := range 1000 {
			f.kept.Failures[fmt.Sprint("x", i)] = 1
		}
		f.lead(t, time.Hour, nil)
		if len(f.kept.Failures) != 1 || f.kept.Failures[ReasonUnseen] != 3 {
			t.Errorf("%d reasons", len(f.kept.Failures))
		}
	})
}

// What a node claims is within reason, or does not count.
func TestToldByNodes(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	l := New(Config{Settings: Settings{Job: "edge"}, Logger: hclog.NewNullLogger()})
	l.state.Round.Started = now.Add(-time.Minute)
	said := func(seen time.Time, round time.Time) record.Node {
		return record.Node{Seen: now, Canaries: []record.NodeCanary{{Job: "edge", Round: round, CanaryNode: record.CanaryNode{Seen: seen}}}}
	}
	started := l.state.Round.Started
	for _, c := range []struct {
		name string
		node record.Node
		seen bool
		text string
	}{
		{"seen", said(now, started), true, ""},
		{"before the round", said(now.Add(-time.Hour), started), false, ""},
		{"in the future", said(now.Add(time.Hour), started), false, ""},
		{"of another round", said(now, started.Add(-time.Hour)), false, "not heard"},
		{"silent", record.Node{Seen: now.Add(-time.Hour)}, false, "silent since"},
		{"without the block", record.Node{Seen: now}, false, "no canary block"},
	} {
		if n := l.told(record.CanaryNode{}, c.node, now); n.Seen.IsZero() == c.seen || !strings.Contains(n.Error, c.text) {
			t.Errorf("%s: %+v", c.name, n)
		}
	}
}

// A command is told which certificate it is for, and no token.
func TestCommandsAreTold(t *testing.T) {
	t.Setenv("CONSUL_HTTP_TOKEN", "geheim")
	t.Setenv("CONSUL_OCSP_CONFIG", "/etc")
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		env := filepath.Join(f.dir, "env")
		f.lead(t, time.Hour, func(c *Config) {
			c.Settings.Revoke = []string{"sh", "-c", "env | grep -E '^CONSUL_(OCSP|HTTP)_' | sort > " + env}
			c.Certificate = func() (Certificate, bool) { return Certificate{ID: f.id(), Path: "/certs/canary.pem"}, true }
		})
		got, err := os.ReadFile(env)
		want := "CONSUL_OCSP_CERT=/certs/canary.pem\nCONSUL_OCSP_ID=" + first + "\nCONSUL_OCSP_JOB=edge\nCONSUL_OCSP_NAME=canary\n"
		if err != nil || string(got) != want {
			t.Errorf("%v: %s", err, got)
		}
	})
}
