// Package truths looks, for a certificate, at what this node's places have for it
// themselves: the file, each HAProxy, and what a client is shown. It changes
// nothing, and believes nothing that does not verify.
package truths

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/served"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// Lookout looks at places.
type Lookout struct {
	Settings *settings.Settings
	// Now is when responses are judged.
	Now time.Time
	// Issuers are asked for what they have kept; nothing is downloaded.
	Issuers issuer.Finder
	// Connect is the HOST:PORT that clients connect to; empty: what the job says.
	Connect string
}

// Discovered are the certificates that only HAProxies name.
func (l *Lookout) Discovered(ctx context.Context, own []inventory.Certificate) []inventory.Certificate {
	var list []inventory.Certificate
	for _, job := range l.Settings.Config.Jobs {
		for _, target := range l.Settings.Targets[job.Name] {
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

// At is what the places have for one certificate, whose job the settings have.
func (l *Lookout) At(ctx context.Context, c inventory.Certificate) status.Truths {
	c = l.known(c)
	all := status.Truths{ID: c.ID, Job: c.Job, Name: c.Name}
	if l.Settings.Config.Job(c.Job).WriteFiles {
		all.Truths = append(all.Truths, l.file(c))
	}
	for _, target := range l.Settings.Targets[c.Job] {
		if t, ok := target.(*haproxytarget.Target); ok {
			all.Truths = append(all.Truths, l.haproxy(ctx, c, t))
		}
	}
	if connect := cmp.Or(l.Connect, l.Settings.Config.Job(c.Job).Connect); connect != "" {
		all.Truths = append(all.Truths, l.client(ctx, c, connect))
	}
	return all
}

// Client is what a client is shown that connects to a HOST:PORT and asks for the
// certificate's name.
func (l *Lookout) Client(ctx context.Context, c inventory.Certificate, connect string) status.Truth {
	return l.client(ctx, l.known(c), connect)
}

// known is c with its issuer, if that was ever found.
func (l *Lookout) known(c inventory.Certificate) inventory.Certificate {
	if c.Issuer == nil {
		c.Issuer = l.Issuers.Kept(c.ID, c.Leaf)
	}
	return c
}

func (l *Lookout) file(c inventory.Certificate) status.Truth {
	t := status.Truth{Place: "file"}
	probe := writer.ProbeFile(c.OCSPFile, l.Settings.Config.TrustedFolders)
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

func (l *Lookout) haproxy(ctx context.Context, c inventory.Certificate, target *haproxytarget.Target) status.Truth {
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

func (l *Lookout) client(ctx context.Context, c inventory.Certificate, connect string) status.Truth {
	t := status.Truth{Place: "client"}
	o := handshake.Options{Address: connect, Issuer: c.Issuer, KeyType: strings.ToLower(c.Leaf.PublicKeyAlgorithm.String()), Now: l.Now}
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
func (l *Lookout) judge(t *status.Truth, der []byte, c inventory.Certificate) {
	if c.Issuer == nil {
		fails(t, errNoIssuerHere)
		return
	}
	f, err := staple.Verify(der, c.Leaf, c.Issuer, l.Settings.Fetch(c.Job, c.Name).Settings.Judgement(l.Now))
	if err != nil {
		t.Says, t.Error = "refused", err.Error()
		return
	}
	t.Says, t.ThisUpdate, t.NextUpdate, t.SHA256 = string(f.Status), f.ThisUpdate.UTC(), f.NextUpdate.UTC(), f.SHA256()
}

func fails(t *status.Truth, err error) { t.Says, t.Error = "error", err.Error() }
