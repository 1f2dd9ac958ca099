package plugin

import (
	"context"
	"errors"
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
	term     *consul.Term // nil: there is none
	staples  map[string]record.Staple
	troubles map[string]*record.Trouble
	away     record.NodeTrouble // why nothing can be published there; no Reason: it can
	report   func()
	// canaries are those of this agent's own datacenter, by job, and which of them
	// are not there yet.
	canaries map[string]record.Canary
	unsent   map[string]bool
}

// newOutlets makes one for each further datacenter; report is called when one
// can't be published to, or can again, and forget when somebody else leads there.
func newOutlets(c *hclconfig.Consul, logger hclog.Logger, report func(), forget func(datacenter string)) ([]*outlet, error) {
	var outlets []*outlet
	for _, name := range c.Datacenters {
		o := &outlet{
			datacenter: name, logger: logger.Named("fetcher").With("datacenter", name),
			renamed: make(chan struct{}, 1), added: make(chan struct{}, 1),
			staples: map[string]record.Staple{}, troubles: map[string]*record.Trouble{}, report: report,
			canaries: map[string]record.Canary{}, unsent: map[string]bool{},
		}
		var err error
		o.client, err = connect(c, name, logger, func(c *consul.Config) {
			c.Leads = true
			c.OnConnection = func(_ bool, err error) { o.reached(err) }
			c.OnCampaign = o.reached
			c.OnOther = func() { forget(name) }
		})
		if err != nil {
			return nil, err
		}
		outlets = append(outlets, o)
	}
	return outlets, nil
}

// reasonDatacenter says that nothing can be published to another datacenter.
const reasonDatacenter = "datacenter"

// reached notes whether the datacenter can be published to, or why not.
func (o *outlet) reached(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		if o.away.Reason != "" {
			o.away = record.NodeTrouble{}
			o.report()
		}
		return
	}
	if o.away.Reason == "" {
		o.away = record.NodeTrouble{Target: "datacenter " + o.datacenter, Reason: reasonDatacenter, Since: time.Now().UTC()}
	}
	if o.away.Error != err.Error() {
		o.away.Error = err.Error()
		o.report()
	}
}

// awayFrom are the datacenters of which reached has noted why not.
func awayFrom(outlets []*outlet) (troubles []record.NodeTrouble) {
	for _, o := range outlets {
		o.mu.Lock()
		if o.away.Reason != "" {
			troubles = append(troubles, o.away)
		}
		o.mu.Unlock()
	}
	return troubles
}

// errOwnDatacenter says what is wrong with the job file, where it alone can't
// show it.
var errOwnDatacenter = errors.New("this agent's own: take it out of consul { datacenters }")

// campaign publishes to the datacenter whenever this agent can have the lock
// there, while home is the term in its own, until ctx ends.
func (o *outlet) campaign(ctx context.Context, home *consul.Term, who record.Leader, lead func(ctx context.Context, term *consul.Term) error) error {
	if own, err := home.HoldsLockOf(ctx, o.client); err == nil && own {
		o.logger.Warn("a datacenter is named in vain", "reason", reasonDatacenter, "error", errOwnDatacenter)
		o.reached(errOwnDatacenter)
		<-ctx.Done()
		return nil
	}
	o.mu.Lock()
	clear(o.troubles) // those of an earlier term at home may be over
	clear(o.canaries)
	o.mu.Unlock()
	return o.client.Campaign(ctx, who, func(ctx context.Context, term *consul.Term) error {
		o.open(term)
		defer o.open(nil)
		return lead(ctx, term)
	})
}

// open says in which term what comes is published, nil for none.
func (o *outlet) open(term *consul.Term) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.term = term
	clear(o.staples)
	o.resend()
}

// put takes responses on their way to the datacenter.
func (o *outlet) put(list []record.Staple) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.term == nil {
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
// more. Troubles are kept between terms there: data_dir does not have them.
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
			// That a certificate is revoked by plan is known before it is.
			planned := o.sendCanaries(ctx, term)
			err := term.Publish(ctx, list) // waits out an outage
			if err != nil {
				o.put(list)
			} else {
				err = planned
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
