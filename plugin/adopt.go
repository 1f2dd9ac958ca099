package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// errNobodyToAdoptFrom says that no job tells of a HAProxy that could be asked.
var errNobodyToAdoptFrom = errors.New(`there is no HAProxy to adopt from: no job has a deliver "haproxy" block`)

// adopted is a response that a HAProxy held.
type adopted struct{ target, sha256 string }

// adopt offers the writer what the node's HAProxies hold, so that it is verified,
// kept in data_dir and written to its file where nothing newer is there. One
// HAProxy that can't be asked keeps nobody from asking the others.
func (p *parts) adopt(ctx context.Context) error {
	mapped, files := p.settings.Load(), p.holding.files()
	if p.adopted == nil {
		p.adopted = map[string]adopted{}
	}
	var failures []error
	asked := false
	for _, job := range mapped.Config.Jobs {
		for _, t := range mapped.Targets[job.Name] {
			target, ok := t.(*haproxytarget.Target)
			if !ok {
				continue
			}
			asked = true
			held, err := heldBy(ctx, target, files, job.Name)
			if err != nil {
				failures = append(failures, fmt.Errorf("job %q: %w", job.Name, err))
				continue
			}
			taken := p.writer.Offer(ctx, held)
			for _, st := range held {
				if slices.Contains(taken, st.ID) {
					p.adopted[st.ID] = adopted{target: target.Name(), sha256: record.Checksum(st.DER)}
				}
			}
			p.options.Logger.Info("asked HAProxy for what it holds", "job", job.Name, "target", target.Name(), "responses", len(held), "adopted", len(taken))
		}
	}
	if !asked {
		return errNobodyToAdoptFrom
	}
	return errors.Join(failures...)
}

// heldBy are the responses that a HAProxy has for a job's certificates, unverified.
func heldBy(ctx context.Context, t *haproxytarget.Target, files []inventory.Certificate, job string) ([]record.Staple, error) {
	var list []record.Staple
	asked := map[string]bool{}
	for _, c := range files {
		if c.Job != job || c.Issuer == nil || asked[c.ID] {
			continue
		}
		asked[c.ID] = true
		id, err := staple.CertID(c.Leaf, c.Issuer)
		if err != nil {
			continue // the writer says what is wrong with this pair
		}
		der, err := t.Client().Response(ctx, id)
		if err != nil {
			return nil, err
		}
		if der != nil {
			list = append(list, record.Staple{ID: c.ID, DER: der})
		}
	}
	return list, nil
}
