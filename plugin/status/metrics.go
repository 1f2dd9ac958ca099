package status

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what Prometheus is told of one agent. Some is told as it happens,
// by the methods, which may be called concurrently, do not block, and do nothing
// for a nil Metrics; the rest is asked for by each scrape.
type Metrics struct {
	registry *prometheus.Registry
	hosts    *bounded

	exchanges    *prometheus.HistogramVec
	failures     *prometheus.CounterVec
	pushes       *prometheus.CounterVec
	pushFailures *prometheus.CounterVec
	lag          prometheus.Histogram
	terms        prometheus.Counter
	asked        *prometheus.HistogramVec
	askedInVain  *prometheus.CounterVec
}

// Namespace begins the name of each metric but those of the process.
const Namespace = "consul_ocsp"

// mostHosts bounds the responder hosts that are told apart: certificates name
// them, and nodes announce certificates.
const mostHosts = 500

// scrapes are made at a time at most; more are refused.
const scrapes = 4

// NewMetrics makes the metrics of an agent. sample is called for each scrape,
// concurrently.
func NewMetrics(sample func() Sample) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), hosts: newBounded(mostHosts),
		exchanges: histograms("responder_request_duration_seconds", "Time that a responder took to answer or to fail, in seconds.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "host"),
		failures:     counters("responder_failures_total", "Exchanges with a responder that brought no response to keep.", "host", "reason"),
		pushes:       counters("pushes_total", "Responses that a server was given, by how it took them.", "target", "how"),
		pushFailures: counters("push_failures_total", "Attempts to give a server a response that failed.", "target", "reason"),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: Namespace, Name: "publish_to_stapled_seconds",
			Help:    "Time from the publication of a response until it is in its file and its servers on this node, in seconds.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900},
		}),
		terms: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: Namespace, Name: "leader_terms_total", Help: "How often this agent was elected.",
		}),
		asked: histograms("consul_request_duration_seconds", "Time until Consul answered, in seconds; blocking queries wait for news.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}, "kind"),
		askedInVain: counters("consul_request_failures_total", "Requests to Consul that it refused, or that were not answered.", "kind"),
	}
	m.registry.MustRegister(m.exchanges, m.failures, m.pushes, m.pushFailures, m.lag, m.terms, m.asked, m.askedInVain,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), scrape(sample))
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: Namespace, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: Namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// Handler answers scrapes; nil for a nil Metrics.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return nil
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// What can't be told must not keep the rest from being told.
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapes,
	})
}

// Exchanged tells of an exchange with a responder host; reason is why it failed,
// "" if it did not.
func (m *Metrics) Exchanged(host, reason string, took time.Duration) {
	if m == nil {
		return
	}
	host = m.hosts.name(clean(host))
	m.exchanges.WithLabelValues(host).Observe(took.Seconds())
	if reason != "" {
		m.failures.WithLabelValues(host, clean(reason)).Inc()
	}
}

// Pushed tells of a target that was given a response; reason is why that
// failed, "" if it did not.
func (m *Metrics) Pushed(target, how, reason string) {
	switch {
	case m == nil:
	case reason != "":
		m.pushFailures.WithLabelValues(clean(target), clean(reason)).Inc()
	default:
		m.pushes.WithLabelValues(clean(target), clean(how)).Inc()
	}
}

// Stapled tells how long a response took from its publication to all that it is
// for on this node.
func (m *Metrics) Stapled(lag time.Duration) {
	if m != nil {
		m.lag.Observe(max(0, lag.Seconds())) // clocks differ
	}
}

// Elected tells that this agent leads from now on.
func (m *Metrics) Elected() {
	if m != nil {
		m.terms.Inc()
	}
}

// Asked tells of a request to Consul: kind is read, write or blocking.
func (m *Metrics) Asked(kind string, failed bool, took time.Duration) {
	if m == nil {
		return
	}
	m.asked.WithLabelValues(kind).Observe(took.Seconds())
	if failed {
		m.askedInVain.WithLabelValues(kind).Inc()
	}
}

// bounded are names of which so many are told apart.
type bounded struct {
	mu    sync.Mutex
	most  int
	known map[string]bool
}

func newBounded(most int) *bounded { return &bounded{most: most, known: map[string]bool{}} }

// name is name, or "other" where there are too many.
func (b *bounded) name(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known[name] {
		if len(b.known) == b.most {
			return "other"
		}
		b.known[name] = true
	}
	return name
}
