package status

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// recentExchanges of a host are what its latency is told from.
	recentExchanges = 128
	// mostReasons of a host are told apart; reasons are this program's own words.
	mostReasons = 100
)

// Responders are how the responder hosts behave that one agent asks: counted
// since it started. Of more than mostHosts the others are one, "other". Its
// methods may be called concurrently, do not block, and do nothing for nil.
type Responders struct {
	mu     sync.Mutex
	hosts  *bounded
	byName map[string]*behaviour
}

// NewResponders knows of no host yet.
func NewResponders() *Responders {
	return &Responders{hosts: newBounded(mostHosts), byName: map[string]*behaviour{}}
}

// Responder is how one host behaves.
type Responder struct {
	// Host is its name, with the port if the URL has one.
	Host string `json:"host"`
	// Since is when it was first asked.
	Since time.Time `json:"since"`
	// Exchanges counts the requests, Failed those that brought no response to
	// keep, Failures these by reason.
	Exchanges uint64            `json:"exchanges"`
	Failed    uint64            `json:"failed"`
	Failures  map[string]uint64 `json:"failures"`
	// LastSuccess and LastFailure are when exchanges ended so; LastReason is why
	// the last one failed, and empty if it did not.
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastFailure time.Time `json:"last_failure,omitzero"`
	LastReason  string    `json:"last_reason"`
	Latency     Latency   `json:"latency"`
}

// Latency is how long the last exchanges with a host took, whatever came of them.
type Latency struct {
	// Of is how many exchanges these are.
	Of int `json:"of"`
	// Median, P95 and Longest are in seconds.
	Median  float64 `json:"median_seconds"`
	P95     float64 `json:"p95_seconds"`
	Longest float64 `json:"longest_seconds"`
}

// behaviour is what is kept of a host.
type behaviour struct {
	Responder
	took [recentExchanges]float32 // seconds; the newest is before at
	at   int
}

// Exchanged tells of an exchange with a host that ended at now; reason is why it
// failed, "" if it did not.
func (r *Responders) Exchanged(host, reason string, took time.Duration, now time.Time) {
	if r == nil {
		return
	}
	host, reason, now = r.hosts.name(clean(host)), clean(reason), utc(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.byName[host]
	if b == nil {
		b = &behaviour{Responder: Responder{Host: host, Since: now, Failures: map[string]uint64{}}}
		r.byName[host] = b
	}
	b.Exchanges++
	b.took[b.at] = float32(max(0, took.Seconds()))
	b.at = (b.at + 1) % recentExchanges
	b.LastReason = reason
	if reason == "" {
		b.LastSuccess = now
		return
	}
	b.Failed++
	b.LastFailure = now
	if _, known := b.Failures[reason]; !known && len(b.Failures) >= mostReasons {
		reason = "other"
	}
	b.Failures[reason]++
}

// List is all hosts: first those whose last exchange failed, then those that
// failed most often, then by name.
func (r *Responders) List() []Responder {
	list := []Responder{}
	if r == nil {
		return list
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.byName {
		one := b.Responder
		one.Failures, one.Latency = maps.Clone(b.Failures), b.latency()
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Responder) int {
		return cmp.Or(-compareBool(a.LastReason != "", b.LastReason != ""), -cmp.Compare(a.Failed, b.Failed), cmp.Compare(a.Host, b.Host))
	})
	return list
}

func (b *behaviour) latency() Latency {
	n := int(min(b.Exchanges, recentExchanges))
	sorted := slices.Sorted(slices.Values(b.took[:n]))
	// The nearest rank: what so many of a hundred took at most.
	rank := func(part float64) float64 {
		seconds := float64(sorted[max(0, int(math.Ceil(part*float64(n)))-1)])
		return math.Round(seconds*1e6) / 1e6
	}
	return Latency{Of: n, Median: rank(.5), P95: rank(.95), Longest: rank(1)}
}

// Asking is how the responders behave, for whoever asks an agent.
type Asking struct {
	// Node is the agent's.
	Node string `json:"node"`
	// Fetches says that this agent asks for the cluster now, or for itself where
	// there is no cluster. If not, Responders are what it met before, or while it
	// fetched for its own certificates.
	Fetches bool `json:"fetches"`
	// Responders are in the order of List.
	Responders []Responder `json:"responders"`
}
