package plugin

import (
	"context"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// lag measures how long responses take from their publication to this node's
// files and servers, by the clocks of the leader and of this node.
type lag struct {
	metrics *status.Metrics // nil: nobody asks

	mu sync.Mutex
	// under way are the newest responses that have come and are not everywhere
	// yet, by certificate.
	underWay map[string]published
}

type published struct {
	sha256 string
	at     time.Time
}

// follow is source, with what comes from it noted. What was published before
// started was not late for this agent.
func (l *lag) follow(source writer.Source, started time.Time) writer.Source {
	if l.metrics == nil {
		return source
	}
	return lagging{source, l, started}
}

type lagging struct {
	writer.Source
	lag     *lag
	started time.Time
}

// Follow is the writer's.
func (s lagging) Follow(ctx context.Context, ids func() []string, held func(id string) (record.Meta, bool),
	deliver func(ctx context.Context, list []record.Staple), wake <-chan struct{}) error {
	return s.Source.Follow(ctx, ids, held, func(ctx context.Context, list []record.Staple) {
		s.lag.comes(list, s.started)
		deliver(ctx, list)
	}, wake)
}

func (l *lag) comes(list []record.Staple, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.underWay == nil {
		l.underWay = map[string]published{}
	}
	for _, st := range list {
		if at := st.Meta.Published; at.After(since) {
			l.underWay[st.ID] = published{st.Meta.SHA256, at}
		}
	}
}

// applied hears how far a file came.
func (l *lag) applied(s writer.State) {
	if l.metrics == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p, waits := l.underWay[s.ID]
	if waits && p.sha256 == s.Applied.SHA256 && s.Reason == "" && (s.Filed || len(s.Targets) > 0) && allHave(s) {
		delete(l.underWay, s.ID)
		l.metrics.Stapled(time.Since(p.at))
	}
}
