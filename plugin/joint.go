package plugin

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// errNobodyFollows says that a response can't be handed on yet; it is tried
// again.
var errNobodyFollows = errors.New("the writer does not run yet")

// joint is the writer's source in a cluster: what the leader publishes, and
// what this agent fetched itself while nobody led. Both take the same way
// through the writer, which verifies either and lets in what is newer.
//
// It is also the Publisher of the fetcher for the second: responses go to the
// writer, and troubles to data_dir, since a node may not write them to Consul.
type joint struct {
	cluster writer.Source
	store   *store.Store
	logger  hclog.Logger

	mu      sync.Mutex // held while something is delivered
	deliver func(ctx context.Context, list []record.Staple)
	held    func(id string) (record.Meta, bool)
	// own are the checksums of responses that this agent fetched itself, by
	// certificate.
	own map[string]string
}

// Follow is the writer's: what comes is delivered one list at a time.
func (j *joint) Follow(ctx context.Context, ids func() []string, held func(id string) (record.Meta, bool),
	deliver func(ctx context.Context, list []record.Staple), wake <-chan struct{}) error {
	j.mu.Lock()
	j.deliver, j.held = deliver, held
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.deliver, j.held = nil, nil
	}()
	return j.cluster.Follow(ctx, ids, held, func(ctx context.Context, list []record.Staple) {
		j.mu.Lock()
		defer j.mu.Unlock()
		deliver(ctx, j.news(list))
	}, wake)
}

// news are those of list that are not older than what this agent fetched
// itself meanwhile. That the cluster is behind it then is usual: the leader
// can't know of such a response, and there is nothing to warn of.
func (j *joint) news(list []record.Staple) []record.Staple {
	kept := make([]record.Staple, 0, len(list))
	for _, st := range list {
		sum, fetched := j.own[st.ID]
		now, held := j.held(st.ID)
		switch {
		case !fetched || !held || now.SHA256 != sum:
			delete(j.own, st.ID)
		case st.Meta.ThisUpdate.Before(now.ThisUpdate):
			j.logger.Debug("the cluster has an older response than this node fetched itself", "id", st.ID)
			continue
		}
		kept = append(kept, st)
	}
	return kept
}

// Publish hands the writer what this agent fetched itself.
func (j *joint) Publish(ctx context.Context, list []record.Staple) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.deliver == nil {
		return errNobodyFollows
	}
	if j.own == nil {
		j.own = map[string]string{}
	}
	for _, st := range list {
		j.own[st.ID] = st.Meta.SHA256
	}
	j.deliver(ctx, list)
	return ctx.Err()
}

// Trouble keeps in data_dir why this agent's own fetches fail.
func (j *joint) Trouble(ctx context.Context, id string, t *record.Trouble) error {
	return j.store.Trouble(ctx, id, t)
}
