package prospects

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/served"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// surveyed is a server of a job, as it is now.
type surveyed struct {
	name string
	// way is how it takes responses where it is not asked; empty for a HAProxy.
	way        string
	method     haproxy.Method
	running    bool
	served     []haproxy.Served
	registered map[string]bool // CertID in hex
}

// askServers asks each server once.
func (s *survey) askServers(ctx context.Context) {
	s.servers = map[string][]*surveyed{}
	for _, job := range s.settings.Config.Jobs {
		for _, target := range s.settings.Targets[job.Name] {
			server := &surveyed{name: target.Name()}
			s.servers[job.Name] = append(s.servers[job.Name], server)
			switch t := target.(type) {
			case *haproxytarget.Target:
				s.askHAProxy(ctx, job.Name, server, t)
			case writer.Committer:
				server.way = WayReload
			default:
				server.way = WayRun
			}
		}
		for _, n := range job.Nginx {
			shared, err := writer.CheckNginx(ctx, n.Test)
			if err != nil {
				s.remark(true, "job %q: nginx would not load its configuration now: %v", job.Name, err)
			}
			for _, err := range shared {
				s.remark(true, "job %q: %v", job.Name, err)
			}
		}
		s.checkConfiguration(ctx, job)
	}
}

func (s *survey) askHAProxy(ctx context.Context, job string, server *surveyed, t *haproxytarget.Target) {
	server.method = t.Method()
	list, err := t.Client().Served(ctx)
	var registered []string
	if err == nil {
		registered, err = t.Client().Registered(ctx)
	}
	if err != nil {
		// Not running is no harm: its next start reads the files.
		s.remark(haproxy.KindOf(err) != haproxy.KindSocket, "job %q: %s: %v", job, t.Name(), err)
		return
	}
	server.running, server.served, server.registered = true, list, map[string]bool{}
	for _, id := range registered {
		server.registered[id] = true
	}
	c := served.Compare(list, s.own)
	if t.Discovers() {
		s.own = append(s.own, served.Found(job, list, s.own)...)
	}
	for _, trouble := range c.Troubles(job, t.Name(), t.Discovers()) {
		s.remark(false, "job %q: %s: %s", job, t.Name(), trouble.Error)
	}
}

// checkConfiguration has HAProxy say whether it would load what is there now.
func (s *survey) checkConfiguration(ctx context.Context, job hclconfig.Job) {
	var files []string
	for _, c := range job.HAProxyConfig {
		files = append(files, c.Path)
	}
	if len(files) == 0 {
		return
	}
	err := haproxy.CheckConfig(ctx, "", files)
	var failed *haproxy.Error
	switch {
	case err == nil:
		s.remark(false, "job %q: haproxy -c accepts %s", job.Name, strings.Join(files, ", "))
	case errors.As(err, &failed) && failed.Kind == haproxy.KindReloadFailed:
		s.remark(true, "job %q: the next reload would fail: %v", job.Name, err)
	default:
		s.remark(false, "job %q: whether the next reload would load can't be tried: %v", job.Name, err)
	}
}

// reach says how a response gets to a server.
func (v *surveyed) reach(c inventory.Certificate, p *Prospect) Reach {
	r := Reach{Server: v.name}
	switch {
	case v.way != "":
		r.Way = v.way
		return r
	case !v.running:
		r.Way = WayFile
		return r
	}
	print := served.Fingerprint(c)
	for _, s := range v.served {
		if s.SHA1 == print {
			r.Names = append(r.Names, s.Name)
			r.Updates = r.Updates || s.Updates
		}
	}
	if c.Issuer != nil {
		if id, err := staple.CertID(c.Leaf, c.Issuer); err == nil {
			r.Registered = v.registered[hex.EncodeToString(id)]
		}
	}
	switch {
	case len(r.Names) == 0:
		r.Way = WayNone
		p.remark(false, "%s does not serve it", v.name)
	case v.method == haproxy.MethodReload:
		r.Way = WayReload
	case r.Registered:
		r.Way = WaySet
	default:
		r.Way = WayTransaction
	}
	if r.Updates {
		p.remark(false, "%s asks the responder for it itself (ocsp-update on): harmless beside us, and pointless", v.name)
	}
	return r
}
