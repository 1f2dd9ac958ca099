package plugin

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// outlet is another datacenter that the leader of this one publishes to. It
// does so under that datacenter's own lock, by a session there: whoever holds
// that lock is the one who publishes there, wherever it is. A lock that
// somebody else holds is waited for.
//
// What is fetched while the lock is not held is not kept here: each term begins
// with a comparison of all that is in data_dir. So an outlet whose datacenter
// can't be reached holds up nothing, and catches up.
type outlet struct {
	datacenter string
	client     *consul.Client
	logger     hclog.Logger
	renamed    chan struct{}
	added      chan struct{}

	mu       sync.Mutex
	opened   bool
	staples  map[string]record.Staple
	troubles map[string]*record.Trouble
}

func newOutlets(c *hclconfig.Consul, logger hclog.Logger) ([]*outlet, error) {
	var outlets []*outlet
	for _, name := range c.Datacenters {
		client, err := connect(c, name, true, logger, nil)
		if err != nil {
			return nil, err
		}
		outlets = append(outlets, &outlet{
			datacenter: name, client: client, logger: logger.Named("fetcher").With("datacenter", name),
			renamed: make(chan struct{}, 1), added: make(chan struct{}, 1),
			staples: map[string]record.Staple{}, troubles: map[string]*record.Trouble{},
		})
	}
	return outlets, nil
}

// open says whether there is a term in which what comes is published.
func (o *outlet) open(yes bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened = yes
	clear(o.staples)
}

// put takes responses on their way to the datacenter.
func (o *outlet) put(list []record.Staple) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.opened {
		return
	}
	for _, st := range list {
		if old, waits := o.staples[st.ID]; !waits || st.Meta.Supersedes(old.Meta) {
			o.staples[st.ID] = st
		}
	}
	wake(o.added)
}

// trouble takes a trouble on its way to the datacenter; nil: there is none any
// more. Troubles are kept between terms: data_dir does not have them.
func (o *outlet) trouble(id string, t *record.Trouble) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubles[id] = t
	wake(o.added)
}

// take removes what waits, revocations first.
func (o *outlet) take() ([]record.Staple, map[string]*record.Trouble) {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := slices.SortedFunc(maps.Values(o.staples), func(a, b record.Staple) int { return order(a) - order(b) })
	troubles := o.troubles
	o.staples, o.troubles = map[string]record.Staple{}, map[string]*record.Trouble{}
	return list, troubles
}

func order(st record.Staple) int {
	if st.Meta.Status == "revoked" {
		return 0
	}
	return 1
}

// outletPause is how long to wait after what Consul refused.
const outletPause = 5 * time.Second

// carry publishes in a term what comes, until ctx ends.
func (o *outlet) carry(term *consul.Term) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for ctx.Err() == nil {
			list, troubles := o.take()
			err := term.Publish(ctx, list) // waits out an outage
			if err != nil {
				o.put(list)
			}
			for id, t := range troubles {
				if err == nil {
					err = term.Trouble(ctx, id, t)
				}
				if err != nil {
					o.restore(id, t)
				}
			}
			if err != nil && ctx.Err() == nil {
				o.logger.Warn("responses were not published; they are kept and tried again", "reason", fetcher.Publish, "error", err)
				sleep(ctx, outletPause, nil)
				continue
			}
			select {
			case <-o.added:
			case <-ctx.Done():
			}
		}
		return nil
	}
}

// restore puts back a trouble that could not be published, unless there is
// later news of it.
func (o *outlet) restore(id string, t *record.Trouble) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, newer := o.troubles[id]; !newer {
		o.troubles[id] = t
	}
}

// fanout is the leader's Publisher: what was fetched once goes to each
// datacenter, and none of them is waited for but the leader's own.
type fanout struct {
	home    fetcher.Publisher
	outlets []*outlet
}

// Publish returns when the list is committed in the leader's own datacenter.
func (f fanout) Publish(ctx context.Context, list []record.Staple) error {
	for _, o := range f.outlets {
		o.put(list)
	}
	return f.home.Publish(ctx, list)
}

// Trouble is published everywhere as responses are.
func (f fanout) Trouble(ctx context.Context, id string, t *record.Trouble) error {
	for _, o := range f.outlets {
		o.trouble(id, t)
	}
	return f.home.Trouble(ctx, id, t)
}
