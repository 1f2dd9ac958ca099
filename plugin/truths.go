package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/served"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// Compare looks at every certificate's file, at the HAProxies of its job, and,
// where connect is a HOST:PORT, at what a client gets there that asks for the
// certificate's name; empty: where the job's own connect says, if it does. id
// limits it to one certificate; "" is all. Nothing is changed.
func Compare(ctx context.Context, cfg *hclconfig.Config, id, connect string, o Options) ([]status.Truths, error) {
	mapped, err := settings.New(cfg, &settings.Targets{Logger: o.Logger, AskOnly: true})
	if err != nil {
		return nil, err
	}
	look := &lookout{plan: mapped, now: time.Now(), issuers: issuer.Finder{Store: store.Look(cfg.DataDir)}, connect: connect}
	o.says(Progress{Doing: "reading certificates"})
	own, _ := inventory.Read(mapped.Sources) // what can't be read, others say
	own = append(own, look.discovered(ctx, own)...)
	list := []status.Truths{}
	for i, c := range own {
		if id == "" || c.ID == id {
			o.says(Progress{Doing: "comparing", Done: i, Total: len(own)})
			list = append(list, look.at(ctx, c))
		}
	}
	return list, ctx.Err()
}

// here looks at the places of one certificate on this node, where its own
// files, HAProxies and clients are: see Compare.
func (p *parts) here(ctx context.Context, id string) (status.Here, error) {
	cfg, now := p.plan.Load().Config, time.Now()
	mapped, err := settings.New(cfg, nil)
	if err != nil {
		return status.Here{}, err
	}
	look := &lookout{plan: mapped, now: now, issuers: p.holding.issuers}
	var found []status.Truths
	for _, c := range p.holding.files() {
		if c.ID == id && cfg.Job(c.Job) != nil {
			found = append(found, look.at(ctx, c))
		}
	}
	return status.NewHere(p.self(), now, found), nil
}

// has tells for the page whether this node has a file of a certificate.
func (p *parts) has(id string) (node string, yes bool) {
	return p.self(), slices.ContainsFunc(p.holding.files(), func(c inventory.Certificate) bool { return c.ID == id })
}

// lookout looks at places.
type lookout struct {
	plan    *settings.Settings
	now     time.Time
	issuers issuer.Finder
	connect string
}

// discovered are the certificates that only HAProxies name.
func (l *lookout) discovered(ctx context.Context, own []inventory.Certificate) []inventory.Certificate {
	var list []inventory.Certificate
	for _, job := range l.plan.Config.Jobs {
		for _, target := range l.plan.Targets[job.Name] {
			t, ok := target.(*haproxytarget.Target)
			if !ok || !t.Discovers() {
				continue
			}
			if loaded, err := t.Client().Served(ctx); err == nil {
				list = append(list, served.Found(job.Name, loaded, own)...)
			}
		}
	}
	return list
}

func (l *lookout) at(ctx context.Context, c inventory.Certificate) status.Truths {
	if c.Issuer == nil {
		c.Issuer = l.issuers.Kept(c.ID, c.Leaf)
	}
	all := status.Truths{ID: c.ID, Job: c.Job, Name: c.Name}
	if l.plan.Config.Job(c.Job).WriteFiles {
		all.Truths = append(all.Truths, l.file(c))
	}
	for _, target := range l.plan.Targets[c.Job] {
		if t, ok := target.(*haproxytarget.Target); ok {
			all.Truths = append(all.Truths, l.haproxy(ctx, c, t))
		}
	}
	if connect := cmp.Or(l.connect, l.plan.Config.Job(c.Job).Connect); connect != "" {
		all.Truths = append(all.Truths, l.client(ctx, c, connect))
	}
	return all
}

func (l *lookout) file(c inventory.Certificate) status.Truth {
	t := status.Truth{Place: "file"}
	probe := writer.ProbeFile(c.OCSPFile, l.plan.Config.TrustedFolders)
	switch {
	case len(probe.Holds) > 0: // whether or not we could replace it
		l.judge(&t, probe.Holds, c)
	case probe.Err != nil && !probe.Exists:
		fails(&t, probe.Err)
	default:
		t.Says = "none"
	}
	return t
}

func (l *lookout) haproxy(ctx context.Context, c inventory.Certificate, target *haproxytarget.Target) status.Truth {
	t := status.Truth{Place: target.Name()}
	if c.Issuer == nil {
		fails(&t, errNoIssuerHere)
		return t
	}
	id, err := staple.CertID(c.Leaf, c.Issuer)
	if err != nil {
		fails(&t, err)
		return t
	}
	held, err := target.Client().Held(ctx, id)
	switch {
	case err != nil:
		fails(&t, err)
		if k := haproxy.KindOf(err); k != "" {
			t.Error = string(k) + ": " + t.Error
		}
	case !held.Present:
		t.Says = "none"
	case held.DER != nil:
		l.judge(&t, held.DER, c)
	default: // before 2.8: what it prints of it
		t.Says, t.ThisUpdate, t.NextUpdate = string(staple.Good), held.ThisUpdate.UTC(), held.NextUpdate.UTC()
		if held.Revoked {
			t.Says = string(staple.Revoked)
		}
	}
	return t
}

func (l *lookout) client(ctx context.Context, c inventory.Certificate, connect string) status.Truth {
	t := status.Truth{Place: "client"}
	o := handshake.Options{Address: connect, Issuer: c.Issuer, KeyType: strings.ToLower(c.Leaf.PublicKeyAlgorithm.String()), Now: l.now}
	if !slices.Contains([]string{"rsa", "ecdsa"}, o.KeyType) {
		o.KeyType = ""
	}
	if len(c.Names) > 0 {
		o.ServerName = strings.Replace(c.Names[0], "*.", "any.", 1)
	}
	r, err := handshake.Connect(ctx, o)
	switch {
	case err != nil:
		fails(&t, err)
	case staple.ID(r.Leaf) != c.ID:
		t.Says, t.Error = "unserved", fmt.Sprintf("who asks %s for %s gets another certificate, with serial %x", connect, o.ServerName, r.Leaf.SerialNumber)
	case len(r.Staple) == 0:
		t.Says = "none"
	default:
		l.judge(&t, r.Staple, c)
	}
	return t
}

var errNoIssuerHere = errors.New("the issuer is not known here: nothing can be verified")

// judge says what a response says, verified for this certificate.
func (l *lookout) judge(t *status.Truth, der []byte, c inventory.Certificate) {
	if c.Issuer == nil {
		fails(t, errNoIssuerHere)
		return
	}
	settings := l.plan.Fetch(c.Job, c.Name).Settings
	f, err := staple.Verify(der, c.Leaf, c.Issuer, settings.Judgement(l.now))
	if err != nil {
		t.Says, t.Error = "refused", err.Error()
		return
	}
	t.Says, t.ThisUpdate, t.NextUpdate, t.SHA256 = string(f.Status), f.ThisUpdate.UTC(), f.NextUpdate.UTC(), f.SHA256()
}

func fails(t *status.Truth, err error) { t.Says, t.Error = "error", err.Error() }
