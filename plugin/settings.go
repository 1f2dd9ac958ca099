package plugin

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/regularfile"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// plan is a configuration in the terms of the parts, with the files that it
// names read and checked. It does not change; a new configuration makes a new
// plan, or none if something in it is wrong.
type plan struct {
	cfg     *hclconfig.Config
	sources []inventory.Source
	// top is for announced certificates of a job that is not configured here,
	// jobs for all of a job, certificates for those with settings of their own,
	// by job and name.
	top          fetch
	jobs         map[string]fetch
	certificates map[[2]string]fetch
	// targets are where each job's certificates are delivered to.
	targets map[string][]writer.Target
	// history tells whether any certificate's responses are kept as evidence.
	history bool
	// replaced is closed when another plan has taken its place.
	replaced chan struct{}
}

// fetch are the settings of a fetch block.
type fetch struct {
	settings       fetcher.Settings
	trustedIssuers []*x509.Certificate
	// allowedAt is where allowed_responders is set.
	allowedAt hclconfig.Source
	// history is how many responses of a certificate are kept as evidence.
	history int
}

// newPlan maps a configuration. An error names the file that could not be
// used.
func newPlan(cfg *hclconfig.Config, t *targets) (*plan, error) {
	p := &plan{cfg: cfg, jobs: map[string]fetch{}, certificates: map[[2]string]fetch{}, replaced: make(chan struct{})}
	var err error
	if p.top, err = newFetch(cfg.Fetch); err != nil {
		return nil, err
	}
	for _, job := range cfg.Jobs {
		if p.jobs[job.Name], err = newFetch(job.Fetch); err != nil {
			return nil, fmt.Errorf("job %q: %w", job.Name, err)
		}
		source := inventory.Source{Job: job.Name}
		for _, c := range job.Certificates {
			own, err := newFetch(c.Fetch)
			if err != nil {
				return nil, fmt.Errorf("certificate %q of job %q: %w", c.Name, job.Name, err)
			}
			p.certificates[[2]string{job.Name, c.Name}] = own
			source.Certificates = append(source.Certificates,
				inventory.Single{Name: c.Name, Path: c.Path, Issuer: c.Issuer, OCSPFile: c.OCSPFile})
		}
		for _, g := range job.Globs {
			source.Sets = append(source.Sets, inventory.Set{Paths: g.Paths, Exclude: g.Exclude})
		}
		for _, l := range job.CrtLists {
			source.CrtLists = append(source.CrtLists, l.Path)
		}
		for _, c := range job.HAProxyConfig {
			source.HAProxyConfigs = append(source.HAProxyConfigs, c.Path)
		}
		p.sources = append(p.sources, source)
	}
	p.history = p.top.history > 0
	for _, f := range p.jobs {
		p.history = p.history || f.history > 0
	}
	p.targets = t.byJob(cfg)
	return p, nil
}

// discovers tells whether some HAProxy says which certificates there are.
func (p *plan) discovers() bool {
	for _, job := range p.cfg.Jobs {
		for _, h := range job.HAProxy {
			if h.Discover {
				return true
			}
		}
	}
	return false
}

// fetch are the settings for a certificate of this job and name; those of the
// job, or of the top level, where it has none of its own.
func (p *plan) fetch(job, name string) fetch {
	if own, ok := p.certificates[[2]string{job, name}]; ok {
		return own
	}
	return p.jobFetch(job)
}

// jobFetch are the settings for announced certificates: what a node names its
// certificate chooses the job here and nothing else.
func (p *plan) jobFetch(job string) fetch {
	if f, ok := p.jobs[job]; ok {
		return f
	}
	return p.top
}

// judgesAs reports whether p and q believe the same announcements.
func (p *plan) judgesAs(q *plan) bool {
	if p == q {
		return true
	}
	if !slices.EqualFunc(p.top.trustedIssuers, q.top.trustedIssuers, (*x509.Certificate).Equal) {
		return false
	}
	for _, jobs := range []map[string]fetch{p.jobs, q.jobs} {
		for job := range jobs {
			if !slices.EqualFunc(p.jobFetch(job).trustedIssuers, q.jobFetch(job).trustedIssuers, (*x509.Certificate).Equal) {
				return false
			}
		}
	}
	return true
}

func newFetch(f hclconfig.Fetch) (fetch, error) {
	responders, err := readCertificates("trusted_responders", f.TrustedResponders)
	if err != nil {
		return fetch{}, err
	}
	issuers, err := readCertificates("trusted_issuers", f.TrustedIssuers)
	if err != nil {
		return fetch{}, err
	}
	s := fetcher.Settings{
		MinDelay: f.MinDelay, MaxDelay: f.MaxDelay, Timeout: f.Timeout,
		Proxy: f.Proxy, Host: f.Host, Off: f.Off(),
		TrustedResponders: responders, AllowedResponders: f.AllowedResponders,
		AllowPrivateAddresses: f.AllowPrivateAddresses, AllowSHA1Signatures: f.AllowSHA1Signatures,
		Concurrency: f.Concurrency, Rate: float64(f.Rate),
	}
	if !s.Off {
		s.Responders = f.Responder
	}
	return fetch{settings: s, trustedIssuers: issuers, allowedAt: f.AllowedAt, history: f.History}, nil
}

// forIssuers is how issuers are downloaded.
func (f fetch) forIssuers() responder.IssuerRequest {
	return responder.IssuerRequest{
		Timeout: f.settings.Timeout, Proxy: f.settings.Proxy,
		Guard: responder.Guard{AllowPrivateAddresses: f.settings.AllowPrivateAddresses, AllowedResponders: f.settings.AllowedResponders},
	}
}

// readCertificates reads the file of certificates that a setting names; none
// for an empty path.
func readCertificates(setting, path string) ([]*x509.Certificate, error) {
	if path == "" {
		return nil, nil
	}
	b, _, err := regularfile.Read(path, staple.MaxPEM)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	certificates, err := staple.ParseCertificates(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", setting, path, err)
	}
	return certificates, nil
}

// connect makes the client for the consul block: for another datacenter than
// that of the Consul agent, if one is named. more, unless nil, adds to it.
func connect(c *hclconfig.Consul, datacenter string, logger hclog.Logger, more func(*consul.Config)) (*consul.Client, error) {
	logger = logger.Named("consul")
	foreign := datacenter != ""
	if foreign {
		logger = logger.With("datacenter", datacenter)
	} else {
		datacenter = c.Datacenter
	}
	config := consul.Config{
		Address: c.Address, Token: string(c.Token), TokenFile: c.TokenFile,
		Datacenter: datacenter, Foreign: foreign, Namespace: c.Namespace, Partition: c.Partition,
		Path: c.Path, SessionTTL: c.SessionTTL, LockDelay: c.LockDelay,
		TLS: consul.TLS{
			Enabled: c.TLS.Enabled, CAFile: c.TLS.CAFile, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
			ServerName: c.TLS.ServerName, SkipVerify: !c.TLS.Verify,
		},
		Logger: logger,
	}
	if more != nil {
		more(&config)
	}
	return consul.New(config)
}
