package haproxytarget

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// turnTimeout bounds a question to Consul: a teller waits for it.
const turnTimeout = 5 * time.Second

// Cluster is where the nodes' turns are kept.
type Cluster interface {
	// TakeReload takes a turn for me where fewer than most others have one. stopped
	// is the failure of another node that has to be mended first.
	TakeReload(ctx context.Context, me record.Reloader, most int, urgent bool) (ok bool, stopped *record.ReloadFailure, err error)
	// GiveReload ends it; failure is empty where the reload worked.
	GiveReload(ctx context.Context, me record.Reloader, failure string) error
}

// Turns are a node's turns to reload among those of the cluster, for all its
// targets. A nil one grants all.
type Turns struct {
	Cluster Cluster
	Who     func(context.Context) (record.Reloader, error) // instance and node

	mu   sync.Mutex
	me   record.Reloader
	said string // the last complaint
}

// complain says once, not at each question, why no turn can be had.
func (t *Turns) complain(target *Target, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said != err.Error() {
		t.said = err.Error()
		target.logger.Warn("HAProxy is not reloaded now: a turn can't be had from Consul", "target", target.name, "reason", haproxy.KindReloadWaits, "error", err)
	}
}

// answered has the next complaint be news again.
func (t *Turns) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = ""
}

// take asks for a turn, and does not wait for it. done is nil if there is none
// now; an error says why that may last. Who has a turn calls done with what came
// of the reload.
func (t *Turns) take(ctx context.Context, target *Target, urgent bool) (done func(error), err error) {
	if t == nil {
		return func(error) {}, nil
	}
	ask, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	me, err := t.self(ask)
	me.Job, me.Target = target.job, target.name
	ok, stopped := false, (*record.ReloadFailure)(nil)
	if err == nil {
		ok, stopped, err = t.Cluster.TakeReload(ask, me, target.reload.most, urgent)
	}
	if err == nil {
		t.answered()
	}
	switch {
	case err != nil && urgent:
		target.logger.Warn("reloading without a turn, since the staple is about to end and Consul can't be asked", "target", target.name, "error", err)
		return func(error) {}, nil
	case err != nil:
		t.complain(target, err)
		return nil, &haproxy.Error{Kind: haproxy.KindReloadWaits, Socket: target.socket, Detail: "a turn to reload can't be had from Consul", Err: err}
	case stopped != nil:
		return nil, target.fail(haproxy.KindReloadWaits, fmt.Sprintf("%s; this node goes on when that is mended, or an hour after", stopped))
	case !ok:
		return nil, nil
	}
	return func(failed error) { t.give(ctx, target, me, failed) }, nil
}

// give ends a turn, also when ctx has ended meanwhile.
func (t *Turns) give(ctx context.Context, target *Target, me record.Reloader, failed error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), turnTimeout)
	defer cancel()
	text := ""
	if failed != nil {
		text = failed.Error()
	}
	if err := t.Cluster.GiveReload(ctx, me, text); err != nil {
		target.logger.Warn("the turn to reload was not given back; it ends by itself", "target", target.name, "error", err)
	}
}

func (t *Turns) self(ctx context.Context) (record.Reloader, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.me.Instance == "" {
		me, err := t.Who(ctx)
		if err != nil {
			return me, err
		}
		t.me = me
	}
	return t.me, nil
}
