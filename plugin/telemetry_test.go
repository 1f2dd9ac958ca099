package plugin

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-metrics"

	"github.com/consul-ocsp/consul-ocsp/plugin/event"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/pull"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// section is the part of the README below a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// firstColumn are the words in backquotes that begin the rows of the tables in a
// text.
func firstColumn(text string) []string {
	var words []string
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				words = append(words, word[1])
			}
		}
	}
	return words
}

// figures is what a sink in memory was told.
func figures(t *testing.T) (*meter, func() map[string]float64) {
	t.Helper()
	sink := metrics.NewInmemSink(time.Hour, time.Hour)
	conf := metrics.DefaultConfig("")
	conf.EnableHostname, conf.EnableRuntimeMetrics = false, false
	m, err := metrics.New(conf, sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Shutdown)
	return &meter{Metrics: m}, func() map[string]float64 {
		values := map[string]float64{}
		for _, interval := range sink.Data() {
			for name, gauge := range interval.Gauges {
				values[name] = float64(gauge.Value)
			}
			for name, counter := range interval.Counters {
				values[name] = counter.Sum
			}
		}
		return values
	}
}

// TestFiguresAreThoseOfTheReadme has something of everything that is counted.
func TestFiguresAreThoseOfTheReadme(t *testing.T) {
	m, told := figures(t)
	m.node(record.Node{Certificates: 3, Stapled: 2, Troubles: 1, Trouble: []record.NodeTrouble{{Reason: "waiting"}}})
	f := fetcher.New(fetcher.Config{})
	m.fetching(f, fetcher.Counts{
		Requests: 9, Repeated: 2, NotModified: 1, Published: 3,
		Turns:    map[string]uint64{fetcher.Fetched: 3, fetcher.Failed: 1},
		Failures: map[string]uint64{"timeout": 1}, Remarks: map[string]uint64{fetcher.ContentType: 4},
	})
	m.revoked(func(do func(writer.State)) { do(writer.State{Held: writer.Info{Status: "revoked"}}) }, func(string) bool { return false }, f, nil)
	m.fallback(true)
	m.told(event.Counts{Sent: 2, Failed: 1, Dropped: 1})
	m.asked(pull.Counts{Answered: 7, Unauthorized: 1})
	m.process()
	got := told()
	names := map[string]bool{}
	for name := range got {
		plain, _, _ := strings.Cut(name, ";")
		names[plain] = true
	}
	var want []string
	for _, word := range firstColumn(section(t, "Figures")) {
		if strings.Contains(word, ".") {
			want = append(want, word)
		}
	}
	slices.Sort(want)
	if d := cmp.Diff(want, slices.Sorted(maps.Keys(names))); d != "" {
		t.Errorf("figures (-README +told):\n%s", d)
	}
	for name, value := range map[string]float64{
		"fetch.requests": 9, "fetch.repeated": 2, "fetch.not_modified": 1, "fetch.certificates;outcome=fetched": 3,
		"fetch.failures;reason=timeout": 1, "fetch.remarks;reason=content-type": 4, "node.trouble;reason=waiting": 1,
		"node.revoked": 1, "fetch.revoked": 0, "events.sent": 2, "pull.requests;outcome=answered": 7,
	} {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
}

// TestFiguresAreWhatIsNew counts on from what was told, and anew for another
// fetcher; a trouble that is over becomes 0.
func TestFiguresAreWhatIsNew(t *testing.T) {
	m, told := figures(t)
	for _, f := range []*fetcher.Fetcher{fetcher.New(fetcher.Config{}), fetcher.New(fetcher.Config{})} {
		for _, total := range []uint64{1, 1, 3} {
			m.fetching(f, fetcher.Counts{Repeated: total, Failures: map[string]uint64{"dns": total}})
		}
	}
	m.fetching(nil, fetcher.Counts{})
	m.node(record.Node{Trouble: []record.NodeTrouble{{Reason: "busy"}, {Reason: "busy"}}})
	if got := told()["node.trouble;reason=busy"]; got != 2 {
		t.Errorf("busy: %v", got)
	}
	m.node(record.Node{})
	got := told()
	for name, want := range map[string]float64{
		"fetch.repeated": 6, "fetch.failures;reason=dns": 6, "fetch.leads": 0, "node.trouble;reason=busy": 0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
}
