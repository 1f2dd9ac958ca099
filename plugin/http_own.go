package plugin

import (
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

// own is what this agent has of a certificate: whom it is asked of, and how the
// response in data_dir is judged now. Nobody else is asked.
func (p *parts) own(id string) status.Own {
	own := status.Own{Verification: status.Verification{Node: p.self()}}
	v := &own.Verification
	t, known := p.holding.target(id)
	if !known {
		v.Error = "this node has not the certificate: nodes that have it can judge its responses"
		return own
	}
	own.Responders = t.Hosts()
	if f := p.fetching.Load(); f != nil {
		own.Asked, own.Next = f.Asked(id)
	}
	st, found, err := p.store.Staple(id)
	switch {
	case err != nil:
		v.Error = err.Error()
	case !found:
		v.Error = "there is no response yet"
	default:
		v.Judge(st.DER, t.Pair().Explain(st.DER, t.Settings.Judgement(time.Now())))
	}
	return own
}

// asking is how the responders behave that this agent asks.
func (p *parts) asking() status.Asking {
	return status.Asking{Node: p.self(), Fetches: p.fetching.Load() != nil, Responders: p.responders.List()}
}

// exchanged hears of an exchange with a responder.
func (p *parts) exchanged(host, reason string, took time.Duration) {
	p.metrics.Exchanged(host, reason, took)
	p.responders.Exchanged(host, reason, took, time.Now())
}

// self is this node's name: the one that it has in Consul, once it has that.
func (p *parts) self() string {
	if name := p.name.Load(); name != nil {
		return *name
	}
	return ownName(p.settings.Load().Config.NodeName)
}
