package plugin

import (
	"fmt"
	"iter"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// everything is a sample that has something of each.
func everything(now time.Time, lives int) status.Sample {
	return status.Sample{
		Version: "0.1.0", Now: now, Single: true, Leads: true, Certificates: 3, Stapled: 2,
		Troubles: map[string]int{"waiting": 1, "so\x1bcket": 2},
		Turns:    map[string]uint64{"fetched": 3}, Pulled: map[string]uint64{"answered": 7}, Events: map[string]uint64{"sent": 1},
		Requests: 9, Published: 3, InCluster: true, LastSync: now,
		Canaries: map[string]record.Canary{"edge": canaryOfTwo(now)},
		Views: []status.View{{Name: status.Delivered, Lives: iter.Seq[status.Life](func(yield func(status.Life) bool) {
			for i := range lives {
				l := status.Life{ID: fmt.Sprintf("%064d", i), Job: "edge", Name: fmt.Sprintf("n%d\xff\n", i), Status: "good",
					ThisUpdate: now.Add(-time.Hour), Until: now.Add(time.Duration(i) * time.Second)}
				for range 2 { // in two files
					if !yield(l) {
						return
					}
				}
			}
			yield(status.Life{ID: strings.Repeat("f", 64), Name: "bare", MustStaple: true})
		})}},
	}
}

// canaryOfTwo is a canary of which one node saw all, and one nothing.
func canaryOfTwo(now time.Time) record.Canary {
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	return record.Canary{
		Job: "edge", Name: "canary", Success: at(-3600), Failures: map[string]uint64{"canary-unseen": 2, "\x1b": 1},
		Round: record.CanaryRound{
			Started: at(0), Phase: record.CanaryEnded, ID: strings.Repeat("a", 64), Published: at(10), Renewed: at(100), Ended: at(200),
			Failures: []record.CanaryFailure{{Reason: "canary-unseen", Error: "node-2: refused"}},
			Nodes:    map[string]record.CanaryNode{"node-1": {Applied: at(12), Seen: at(13), Good: at(90)}, "node-2": {Error: "refused"}, "\xff": {}},
		},
	}
}

func scraped(t *testing.T, m *status.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/v1/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestMetricsAreThoseOfTheReadme has Prometheus's own tool look at them too.
func TestMetricsAreThoseOfTheReadme(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	m := status.NewMetrics(func() status.Sample { return everything(now, 100) })
	for i := range 1000 {
		m.Exchanged(fmt.Sprintf("r%d.example.com", i), "timeout", time.Second)
	}
	m.Pushed("haproxy", "set", "")
	m.Pushed("haproxy", "", "socket")
	m.Stapled(-time.Second)
	m.Elected()
	m.Asked("read", true, time.Millisecond)
	text := scraped(t, m)

	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	var got, want []string
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (consul_ocsp_\S+)`).FindAllStringSubmatch(text, -1) {
		got = append(got, found[1])
	}
	for _, word := range firstColumn(section(t, "Metrics")) {
		if strings.HasPrefix(word, status.Namespace+"_") {
			want = append(want, word)
		}
	}
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metrics (-README +told):\n%s", d)
	}
	for _, line := range []string{
		`consul_ocsp_staples{state="ending",view="delivered"} 198`, `consul_ocsp_staples{state="ended",view="delivered"} 2`,
		`consul_ocsp_staples{state="missing",view="delivered"} 1`, `consul_ocsp_staples_must_staple_missing{view="delivered"} 1`,
		`consul_ocsp_staple_remaining_seconds{id="000000000000",job="edge",name="n7? ",view="delivered"} 7`,
		`consul_ocsp_node_troubles{reason="so?cket"} 2`, `consul_ocsp_responder_failures_total{host="other",reason="timeout"} 500`,
		`consul_ocsp_canary_revocation_seconds{job="edge",node="",stage="published"} 10`, `consul_ocsp_canary_revocation_seconds{job="edge",node="node-1",stage="seen"} 13`,
		`consul_ocsp_canary_renewal_seconds{job="edge",node="node-1"} 0`, `consul_ocsp_canary_nodes_unseen{job="edge"} 1`,
		`consul_ocsp_canary_failing{job="edge"} 1`, `consul_ocsp_canary_failures_total{job="edge",reason="canary-unseen"} 2`,
		`consul_ocsp_publish_to_stapled_seconds_sum 0`, `consul_ocsp_pushes_total{how="set",target="haproxy"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

// Of very many certificates those whose staples end first have series.
func TestMetricsAreBounded(t *testing.T) {
	now := time.Now()
	single := true
	m := status.NewMetrics(func() status.Sample {
		s := everything(now, 12_000)
		s.Single = single
		return s
	})
	text := scraped(t, m)
	if n := strings.Count(text, "\nconsul_ocsp_staple_state{"); n < 5_000 || n > 10_000 {
		t.Errorf("%d series", n)
	}
	for name, want := range map[string]bool{"n0? ": true, "n4998? ": true, "n5001? ": false, "bare": true} {
		if got := strings.Contains(text, fmt.Sprintf("name=%q", name)); got != want {
			t.Errorf("a series of %q: %v", name, got)
		}
	}
	if !strings.Contains(text, `consul_ocsp_staples_without_series{view="delivered"} 14001`+"\n") {
		t.Error("what has no series is not counted")
	}
	single = false
	if text := scraped(t, m); strings.Contains(text, "consul_ocsp_staple_") || !strings.Contains(text, `consul_ocsp_staples{state="missing",view="delivered"} 1`) {
		t.Error("single certificates are told of although that is switched off, or nothing is")
	}
}

// A lag is that of a response that came while the agent ran, once all have it.
func TestLag(t *testing.T) {
	m := status.NewMetrics(func() status.Sample { return status.Sample{} })
	l, now := lag{metrics: m}, time.Now()
	come := func(sum string, published time.Time) {
		l.comes([]record.Staple{{ID: "a", Meta: record.Meta{SHA256: sum, Published: published}}}, now)
	}
	state := func(sum, pushed string) writer.State {
		return writer.State{ID: "a", Applied: writer.Info{SHA256: sum}, Filed: true, Targets: []writer.TargetState{{SHA256: pushed}}}
	}
	want := func(n int) {
		t.Helper()
		if !strings.Contains(scraped(t, m), fmt.Sprintf("consul_ocsp_publish_to_stapled_seconds_count %d\n", n)) {
			t.Errorf("not %d", n)
		}
	}
	come("1", now.Add(-time.Hour))
	l.applied(state("1", "1"))
	want(0)
	come("2", now.Add(time.Second))
	l.applied(state("1", "1"))
	l.applied(state("2", "1"))
	want(0)
	l.applied(state("2", "2"))
	l.applied(state("2", "2"))
	want(1)
}

// Totals go on where another part begins at nothing.
func TestTotals(t *testing.T) {
	var c totals
	first, second := new(int), new(int)
	c.take(first, map[string]uint64{"sent": 3})
	c.take(first, map[string]uint64{"sent": 5})
	c.take(second, map[string]uint64{"sent": 2, "failed": 1})
	if d := cmp.Diff(map[string]uint64{"sent": 7, "failed": 1}, c.all()); d != "" {
		t.Error(d)
	}
}
