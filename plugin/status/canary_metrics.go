package status

import (
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

var (
	canaryRevocation = describe("canary_revocation_seconds", "Time from the canary's last revocation until it was published, applied on a node and seen by a client there, in seconds.", "job", "node", "stage")
	canaryRenewal    = describe("canary_renewal_seconds", "Time from the canary's last renewal until a client of a node was shown a good response, in seconds.", "job", "node")
	canaryNodes      = describe("canary_nodes", "Nodes that the canary was last revoked on.", "job")
	canaryUnseen     = describe("canary_nodes_unseen", "Nodes of these whose clients were not shown it, or no good response afterwards.", "job")
	canaryFailing    = describe("canary_failing", "1 while something of the canary's last round has failed, or a round is due and can't begin.", "job")
	canarySuccess    = describe("canary_last_success_timestamp_seconds", "When a round of the canary last ended without a failure, in seconds since 1970.", "job")
	canaryFailed     = describe("canary_failures_total", "What has failed of canaries, whoever led, by reason.", "job", "reason")
)

// canaries tells what is known of canaries: the leader does. The nodes of a round
// are bounded by its record.
func (e emitter) canaries(list map[string]record.Canary, now time.Time) {
	for name, c := range list {
		if !record.ValidName(name) || c.Job != name {
			continue // not from an agent
		}
		job, shown := clean(c.Job), measured(c)
		told := newCanary(c, now)
		if s := told.PublishedSeconds; s != nil {
			e.gauge(canaryRevocation, *s, job, "", "published")
		}
		unseen := 0
		for _, n := range told.Nodes {
			if n.AppliedSeconds != nil {
				e.gauge(canaryRevocation, *n.AppliedSeconds, job, n.Node, "applied")
			}
			if n.SeenSeconds != nil {
				e.gauge(canaryRevocation, *n.SeenSeconds, job, n.Node, "seen")
			}
			if n.GoodSeconds != nil {
				e.gauge(canaryRenewal, *n.GoodSeconds, job, n.Node)
			}
			if !shown.Ended.IsZero() && (n.SeenSeconds == nil || n.GoodSeconds == nil) {
				unseen++
			}
		}
		e.gauge(canaryNodes, float64(len(told.Nodes)), job)
		e.gauge(canaryUnseen, float64(unseen), job)
		e.gauge(canaryFailing, boolean(told.State == Failing || told.State == Stale), job)
		if !c.Success.IsZero() {
			e.gauge(canarySuccess, float64(c.Success.UnixMilli())/1000, job)
		}
		for reason, n := range c.Failures {
			if !record.ValidName(reason) {
				continue
			}
			e.counter(canaryFailed, float64(n), job, clean(reason))
		}
	}
}
