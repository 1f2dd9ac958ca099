package hclconfig

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// canary reads a canary block of a job whose certificates and targets are read.
func (p *parser) canary(b *block, j *Job) *Canary {
	c := DefaultCanary()
	c.Source = b.source()
	b.require("certificate", `"canary"`)
	b.text("certificate", &c.Certificate, isLabel)
	b.require("revoke", `["/usr/local/bin/revoke-canary"]`)
	b.command("revoke", &c.Revoke, true)
	b.require("renew", `["/usr/local/bin/renew-canary"]`)
	b.command("renew", &c.Renew, true)
	b.duration("every", &c.Every, time.Minute, 366*day)
	b.duration("within", &c.Within, 10*time.Second, 183*day)
	b.duration("timeout", &c.Timeout, instant, time.Hour)
	b.done()
	p.checkCanary(b, j, &c)
	return &c
}

// checkCanary refuses a canary that could not be measured, or is not there.
func (p *parser) checkCanary(b *block, j *Job, c *Canary) {
	if 2*c.Within > c.Every {
		p.invalid("within", b.place("within", "every"), fmt.Sprintf(
			"Revoking and renewing may take %s each, which is more than %s together. Set within to half of every at most.", short(c.Within), short(c.Every)))
	}
	if len(c.Revoke) > 0 && slices.Equal(c.Revoke, c.Renew) {
		p.invalid("renew", b.place("renew"), "It is the same command as revoke. Write the one that makes a new certificate.")
	}
	if len(j.Certificates) > 0 && len(j.Globs)+len(j.CrtLists)+len(j.HAProxyConfig) == 0 && !discovers(j) && c.Certificate != "" && j.certificate(c.Certificate) == nil {
		var names []string
		for _, own := range j.Certificates {
			names = append(names, own.Name)
		}
		text := fmt.Sprintf("Job %q has no certificate %q.", j.Name, c.Certificate)
		if near := nearest(c.Certificate, names); near != "" {
			text += fmt.Sprintf(" Did you mean %q?", near)
		}
		p.invalid("certificate", b.place("certificate"), text+fmt.Sprintf(" Add a block certificate %q { path = … }, or name one of: %s.", c.Certificate, strings.Join(names, ", ")))
	}
	if own := j.certificate(c.Certificate); j.Fetch.Off() || own != nil && own.Fetch.Off() {
		p.fail(b.at, "A canary that nobody asks about", "Fetching is switched off for it by responder = [\"\"]: that it is revoked would never be known. Remove that, or name the CA's responder.")
	}
	for _, h := range j.HAProxy {
		if h.OnRevoked != "staple" {
			p.fail(b.at, "A canary that clients never see",
				fmt.Sprintf("The target at %s has on_revoked = %q: clients are never shown that the canary is revoked. Move the canary to a job of its own.", h.Source, h.OnRevoked))
		}
	}
}

func discovers(j *Job) bool {
	return slices.ContainsFunc(j.HAProxy, func(h DeliverHAProxy) bool { return h.Discover })
}

// certificate returns the block of that name, or nil.
func (j *Job) certificate(name string) *Certificate {
	for i := range j.Certificates {
		if j.Certificates[i].Name == name {
			return &j.Certificates[i]
		}
	}
	return nil
}

// checkCanaries refuses a canary whose file is some other certificate's too: that
// one would be revoked with it.
func (p *parser) checkCanaries(c *Config) {
	for i := range c.Jobs {
		j := &c.Jobs[i]
		if j.Canary == nil {
			continue
		}
		if c.HasRole("fetch") && !j.HasCertificates() && !c.Announce.Names {
			p.fail(p.places[j.Canary.Source], "A canary that nobody is believed about",
				fmt.Sprintf("This agent may lead, job %q has no certificates here, and what nodes announce says nothing of names: it could not know which certificate is %q. "+
					"Add its certificate block, a copy without the key will do, or announce { names = true } where you trust all nodes.", j.Name, j.Canary.Certificate))
		}
		canary := j.certificate(j.Canary.Certificate)
		if canary == nil {
			continue
		}
		for _, other := range c.Jobs {
			for _, cert := range other.Certificates {
				if filepath.Clean(cert.Path) == filepath.Clean(canary.Path) && cert.Source != canary.Source {
					p.fail(p.places[j.Canary.Source], "A canary that is another certificate too",
						fmt.Sprintf("%s would be revoked, and it is also certificate %q of job %q at %s. Give the canary a certificate of its own.", canary.Path, cert.Name, other.Name, cert.Source))
				}
			}
		}
	}
}
