package status

import (
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Sample is what an agent knows and counts at one moment. What is nil or has
// no view is not told.
type Sample struct {
	Version string
	Now     time.Time
	// Views are its staples.
	Views []View
	// Single tells whether each staple has metrics of its own.
	Single bool

	Leads, Fallback       bool
	Certificates, Stapled int
	Troubles              map[string]int // of the node, by reason

	// Totals since the start: of turns by outcome, of requests for OCSP by
	// outcome, of events by what came of them, and of what is published.
	Turns, Pulled, Events map[string]uint64
	Requests, Published   uint64

	// Canaries are those of which this agent leads the rounds, by job.
	Canaries map[string]record.Canary

	// InCluster says that there is a Consul; ConsulDown that it is silent.
	InCluster, ConsulDown bool
	LastSync              time.Time
}

// View is staples as one part of an agent sees them: Delivered or Fetched.
type View struct {
	Name  string
	Lives iter.Seq[Life]
}

// The views of an agent: what its own servers and files have, and, while it
// leads, what it has fetched.
const (
	Delivered = "delivered"
	Fetched   = "fetched"
)

// Life is what metrics tell of one certificate.
type Life struct {
	ID, Job, Name     string
	Status            string // empty without a response
	MustStaple        bool
	ThisUpdate, Until time.Time // zero without a response
	Failing           bool
	// Planned: where it is revoked, it is so by plan.
	Planned bool
}

// state is the one of a Staple with this life.
func (l Life) state(now time.Time) string {
	s := Staple{Status: l.Status, SecondsLeft: int64(l.Until.Sub(now) / time.Second), LifeLeft: l.left(now)}
	if l.Failing {
		s.Reason = noReason
	}
	state := s.state(!l.ThisUpdate.IsZero())
	if state == Revoked && l.Planned {
		state = Planned
	}
	return state
}

// left is the part of the life that is left, 0 to 1.
func (l Life) left(now time.Time) float64 {
	left, life := l.Until.Sub(now), l.Until.Sub(l.ThisUpdate)
	if left <= 0 || life <= 0 {
		return 0
	}
	return min(1, left.Seconds()/life.Seconds())
}

// scrape collects samples. It describes nothing: what it has differs.
type scrape func() Sample

func (scrape) Describe(chan<- *prometheus.Desc) {}

func (take scrape) Collect(out chan<- prometheus.Metric) {
	s := take()
	e := emitter{out}
	e.gauge(buildInfo, 1, clean(s.Version))
	e.gauge(leads, boolean(s.Leads))
	e.gauge(fallback, boolean(s.Fallback))
	e.gauge(nodeCertificates, float64(s.Certificates))
	e.gauge(nodeStapled, float64(s.Stapled))
	for reason, n := range s.Troubles {
		e.gauge(nodeTroubles, float64(n), clean(reason))
	}
	e.totals(turns, s.Turns)
	e.totals(pulled, s.Pulled)
	e.totals(events, s.Events)
	e.counter(requests, float64(s.Requests))
	e.counter(published, float64(s.Published))
	if s.InCluster {
		e.gauge(consulUp, boolean(!s.ConsulDown))
		e.gauge(lastSync, float64(s.LastSync.UnixMilli())/1000)
	}
	e.canaries(s.Canaries, s.Now)
	for _, v := range s.Views {
		e.view(v, s.Now, s.Single)
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(Namespace+"_"+name, help, labels, nil)
}

var (
	buildInfo        = describe("build_info", "Always 1; the label says which version runs.", "version")
	leads            = describe("leader", "1 where this agent fetches for the cluster.")
	fallback         = describe("fallback_active", "1 while this node fetches for itself since the cluster does not.")
	nodeCertificates = describe("node_certificates", "Certificates that this node delivers staples for.")
	nodeStapled      = describe("node_stapled", "Those of them with a staple that lives.")
	nodeTroubles     = describe("node_troubles", "What is wrong on this node, by reason.", "reason")
	turns            = describe("fetch_turns_total", "Turns of certificates at the fetcher, by outcome.", "outcome")
	requests         = describe("fetch_requests_total", "HTTP requests to responders.")
	published        = describe("fetch_published_total", "Responses that were published.")
	pulled           = describe("pull_requests_total", "OCSP requests answered for others, by outcome.", "outcome")
	events           = describe("events_total", "Events, by what came of them.", "outcome")
	consulUp         = describe("consul_up", "1 while Consul answers.")
	lastSync         = describe("consul_last_sync_timestamp_seconds", "When this agent last knew what Consul knows, in seconds since 1970.")

	staples     = describe("staples", "Certificates by the state of their staple.", "view", "state")
	shortest    = describe("staples_shortest_remaining_seconds", "Time until the first staple ends, in seconds.", "view")
	leastLife   = describe("staples_least_life_ratio", "The part of its life that is left of the staple with the least, 0 to 1.", "view")
	mustMissing = describe("staples_must_staple_missing", "Certificates that must be stapled and have no staple that lives.", "view")
	left        = describe("staples_without_series", "Certificates whose staples have no series of their own, since others end earlier.", "view")
	remaining   = describe("staple_remaining_seconds", "Time until the staple ends, in seconds; negative once it has.", "view", "id", "job", "name")
	age         = describe("staple_age_seconds", "Time since the staple's thisUpdate, in seconds.", "view", "id", "job", "name")
	state       = describe("staple_state", "Always 1; the label says how the staple is.", "view", "id", "job", "name", "state")
)

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// emitter tells Prometheus.
type emitter struct{ out chan<- prometheus.Metric }

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) counter(d *prometheus.Desc, v float64, labels ...string) {
	e.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func (e emitter) totals(d *prometheus.Desc, by map[string]uint64) {
	for label, n := range by {
		e.counter(d, float64(n), clean(label))
	}
}
