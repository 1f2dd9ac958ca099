package plugin

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// The words for what a HAProxy serves and this node's files don't explain.
const (
	reasonUnlisted   = "unlisted"
	reasonOtherBytes = "other-bytes"
)

// viewsInterval is how often what HAProxies serve is compared with the files,
// on average.
const viewsInterval = 5 * time.Minute

// views is what this node's HAProxies say that they serve, beside what the job
// file and the files say.
type views struct {
	mu         sync.Mutex
	troubles   []record.NodeTrouble
	discovered map[string][]string // by job: files that only HAProxy named
	ration     ration.Lines
}

// sources are a plan's sources together with what HAProxies named.
func (v *views) sources(mapped *plan) []inventory.Source {
	v.mu.Lock()
	defer v.mu.Unlock()
	sources := slices.Clone(mapped.sources)
	for i := range sources {
		sources[i].Discovered = v.discovered[sources[i].Job]
	}
	return sources
}

func (v *views) complaints() []record.NodeTrouble {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.troubles)
}

// watchServed compares now and then, until ctx ends.
func (p *parts) watchServed(ctx context.Context) error {
	select {
	case <-p.read:
	case <-ctx.Done():
		return nil
	}
	for {
		p.lookAtServed(ctx)
		pause := time.NewTimer(viewsInterval/2 + rand.N(viewsInterval))
		select {
		case <-pause.C:
		case <-p.relist:
			pause.Stop()
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}

// lookAtServed asks every HAProxy of the jobs once. One that does not answer
// changes nothing: the writer says so already.
func (p *parts) lookAtServed(ctx context.Context) {
	mapped, own := p.plan.Load(), p.holding.files()
	found := map[string][]string{}
	var troubles []record.NodeTrouble
	for _, job := range mapped.cfg.Jobs {
		for _, target := range mapped.targets[job.Name] {
			t, ok := target.(*haproxytarget.Target)
			if !ok {
				continue
			}
			served, err := t.Client().Served(ctx)
			if err != nil {
				p.options.Logger.Debug("what HAProxy serves can't be compared with the files", "target", t.Name(), "error", err)
				found[job.Name] = append(found[job.Name], p.views.known(job.Name)...)
				continue
			}
			c := compare(served, own, readLeaf)
			if t.Discovers() {
				found[job.Name] = append(found[job.Name], c.files(served, own)...)
				c.unlisted = nil
			}
			troubles = append(troubles, c.troubles(job.Name, t.Name())...)
		}
	}
	if ctx.Err() == nil {
		p.seen(found, troubles)
	}
}

func (v *views) known(job string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.discovered[job]
}

// seen takes in what was found, and has it acted on where it is new.
func (p *parts) seen(found map[string][]string, troubles []record.NodeTrouble) {
	for job, files := range found {
		slices.Sort(files)
		found[job] = slices.Compact(files)
	}
	maps.DeleteFunc(found, func(_ string, files []string) bool { return len(files) == 0 })
	p.views.mu.Lock()
	rediscovered := !maps.EqualFunc(p.views.discovered, found, slices.Equal[[]string])
	p.views.discovered = found
	before := p.views.troubles
	for i, t := range troubles {
		if j := slices.IndexFunc(before, func(b record.NodeTrouble) bool { return sameTrouble(b, t) }); j >= 0 {
			troubles[i].Since = before[j].Since
		} else {
			level, more := p.views.ration.Level(time.Now(), hclog.Warn)
			p.options.Logger.Log(level, "HAProxy and the files differ"+more, "job", t.Job, "certificate", t.Name, "reason", t.Reason, "error", t.Error)
		}
	}
	p.views.troubles = troubles
	p.views.mu.Unlock()
	if rediscovered {
		wake(p.rediscovered)
	}
	if !slices.EqualFunc(before, troubles, sameTrouble) {
		wake(p.report)
		wake(p.check)
	}
}

func sameTrouble(a, b record.NodeTrouble) bool {
	a.Since, b.Since = time.Time{}, time.Time{}
	return a == b
}

// comparison is how what one HAProxy serves differs from the files.
type comparison struct {
	unlisted []haproxy.Served // which no job names
	unknown  map[string]error // likewise, and why their files can't be looked at, by HAProxy's name
	changed  map[string]inventory.Certificate
}

// compare looks for certificates that HAProxy serves and that are in no file of
// the jobs. Those for which no CA answers are nobody's business. leaf reads a
// file's certificate.
func compare(served []haproxy.Served, own []inventory.Certificate, leaf func(string) (inventory.Certificate, error)) comparison {
	c := comparison{changed: map[string]inventory.Certificate{}, unknown: map[string]error{}}
	prints, paths := map[string]bool{}, map[string]inventory.Certificate{}
	for _, o := range own {
		prints[fingerprintOf(o)] = true
		paths[o.Path] = o
	}
	for _, s := range served {
		if prints[s.SHA1] {
			continue
		}
		for _, path := range []string{s.Name, s.File} {
			if o, ok := paths[path]; ok {
				c.changed[s.Name] = o
			}
		}
		if _, ok := c.changed[s.Name]; ok {
			continue
		}
		switch cert, err := leaf(s.File); {
		case err != nil:
			c.unknown[s.Name] = err
		case cert.MustStaple || len(cert.Leaf.OCSPServer) > 0:
			c.unlisted = append(c.unlisted, s)
		}
	}
	return c
}

// files are those of certificates that a job does not name, and that are what
// HAProxy has loaded.
func (c comparison) files(served []haproxy.Served, own []inventory.Certificate) []string {
	named := map[string]bool{}
	for _, o := range own {
		named[o.Path] = !o.Discovered
	}
	var files []string
	for _, s := range served {
		if s.File == "" || named[s.File] {
			continue
		}
		if cert, err := readLeaf(s.File); err == nil && (cert.MustStaple || len(cert.Leaf.OCSPServer) > 0) {
			files = append(files, s.File)
		}
	}
	return files
}

// found are the certificates in those files, as ones of the job.
func (c comparison) found(job string, served []haproxy.Served, own []inventory.Certificate) []inventory.Certificate {
	var list []inventory.Certificate
	for _, file := range c.files(served, own) {
		if cert, err := readLeaf(file); err == nil {
			cert.Job, cert.Discovered = job, true
			list = append(list, cert)
		}
	}
	return list
}

func (c comparison) troubles(job, target string) []record.NodeTrouble {
	var list []record.NodeTrouble
	now := time.Now().UTC()
	for _, s := range c.unlisted {
		list = append(list, record.NodeTrouble{Job: job, Target: target, Reason: reasonUnlisted, Since: now,
			Error: fmt.Sprintf("HAProxy serves %s, which no job names and nobody staples: add it, or set discover = true", s.Name)})
	}
	for _, name := range slices.Sorted(maps.Keys(c.unknown)) {
		list = append(list, record.NodeTrouble{Job: job, Target: target, Reason: reasonUnlisted, Since: now,
			Error: fmt.Sprintf("HAProxy serves %s, which no job names, or which has changed in its file; that can't be looked at (%v): name it, as by haproxy_config, or reload", name, c.unknown[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(c.changed)) {
		o := c.changed[name]
		list = append(list, record.NodeTrouble{ID: o.ID, Job: o.Job, Name: o.Name, Target: target, Reason: reasonOtherBytes, Since: now,
			Error: fmt.Sprintf("HAProxy serves %s as it was before the file changed: reload it", name)})
	}
	return list
}

// readLeaf reads a certificate that no job names.
func readLeaf(path string) (inventory.Certificate, error) {
	if path == "" {
		return inventory.Certificate{}, errors.New("HAProxy does not say where it is from")
	}
	return readCertificate(path)
}

func fingerprintOf(c inventory.Certificate) string {
	sum := sha1.Sum(c.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}
