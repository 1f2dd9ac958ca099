// Package settings is a configuration in the terms of the parts, with the files
// that it names read and checked.
package settings

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/regularfile"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// Settings are those of one configuration. They do not change: a new configuration
// makes new ones, or none if something in it is wrong.
type Settings struct {
	Config  *hclconfig.Config
	Sources []inventory.Source
	// Top is for announced certificates of a job that is not configured here.
	Top Fetch
	// Targets are where each job's certificates are delivered to.
	Targets map[string][]writer.Target
	// History tells whether any certificate's responses are kept as evidence.
	History bool
	// Replaced is for who uses them, and closes it when others take their place.
	Replaced chan struct{}

	// jobs are for all of a job, certificates for those with settings of their own,
	// by job and name.
	jobs         map[string]Fetch
	certificates map[[2]string]Fetch
}

// Fetch are the settings of a fetch block.
type Fetch struct {
	Settings       fetcher.Settings
	TrustedIssuers []*x509.Certificate
	// AllowedAt is where allowed_responders is set.
	AllowedAt hclconfig.Source
	// History is how many responses of a certificate are kept as evidence.
	History int
}

// New maps a configuration. An error names the file that could not be used. Who
// only wants to look gives no t.
func New(cfg *hclconfig.Config, t *Targets) (*Settings, error) {
	if t == nil {
		t = &Targets{Logger: hclog.NewNullLogger(), AskOnly: true}
	}
	s := &Settings{Config: cfg, jobs: map[string]Fetch{}, certificates: map[[2]string]Fetch{}, Replaced: make(chan struct{})}
	var err error
	if s.Top, err = newFetch(cfg.Fetch); err != nil {
		return nil, err
	}
	for _, job := range cfg.Jobs {
		if s.jobs[job.Name], err = newFetch(job.Fetch); err != nil {
			return nil, fmt.Errorf("job %q: %w", job.Name, err)
		}
		source := inventory.Source{Job: job.Name}
		for _, c := range job.Certificates {
			own, err := newFetch(c.Fetch)
			if err != nil {
				return nil, fmt.Errorf("certificate %q of job %q: %w", c.Name, job.Name, err)
			}
			s.certificates[[2]string{job.Name, c.Name}] = own
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
		s.Sources = append(s.Sources, source)
	}
	s.History = s.Top.History > 0
	for _, f := range s.jobs {
		s.History = s.History || f.History > 0
	}
	s.Targets = t.byJob(cfg)
	return s, nil
}

// Discovers tells whether some HAProxy says which certificates there are.
func (s *Settings) Discovers() bool {
	return slices.ContainsFunc(s.Config.Jobs, func(j hclconfig.Job) bool { return j.Discovers() })
}

// HasCanary reports whether some job has a canary.
func (s *Settings) HasCanary() bool {
	return slices.ContainsFunc(s.Config.Jobs, func(j hclconfig.Job) bool { return j.Canary != nil })
}

// IsCanary reports whether a job's certificate is its canary.
func (s *Settings) IsCanary(job, name string) bool {
	j := s.Config.Job(job)
	return j != nil && j.Canary != nil && j.Canary.Certificate == name
}

// Fetch are the settings for a certificate of this job and name; those of the
// job, or of the top level, where it has none of its own.
func (s *Settings) Fetch(job, name string) Fetch {
	if own, ok := s.certificates[[2]string{job, name}]; ok {
		return own
	}
	return s.JobFetch(job)
}

// JobFetch are the settings for announced certificates: what a node names its
// certificate chooses the job here and nothing else.
func (s *Settings) JobFetch(job string) Fetch {
	if f, ok := s.jobs[job]; ok {
		return f
	}
	return s.Top
}

// JudgesAs reports whether s and other believe the same announcements.
func (s *Settings) JudgesAs(other *Settings) bool {
	if s == other {
		return true
	}
	if !slices.EqualFunc(s.Top.TrustedIssuers, other.Top.TrustedIssuers, (*x509.Certificate).Equal) {
		return false
	}
	for _, jobs := range []map[string]Fetch{s.jobs, other.jobs} {
		for job := range jobs {
			if !slices.EqualFunc(s.JobFetch(job).TrustedIssuers, other.JobFetch(job).TrustedIssuers, (*x509.Certificate).Equal) {
				return false
			}
		}
	}
	return true
}

func newFetch(f hclconfig.Fetch) (Fetch, error) {
	responders, err := ReadCertificates("trusted_responders", f.TrustedResponders)
	if err != nil {
		return Fetch{}, err
	}
	issuers, err := ReadCertificates("trusted_issuers", f.TrustedIssuers)
	if err != nil {
		return Fetch{}, err
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
	return Fetch{Settings: s, TrustedIssuers: issuers, AllowedAt: f.AllowedAt, History: f.History}, nil
}

// ForIssuers is how issuers are downloaded.
func (f Fetch) ForIssuers() responder.IssuerRequest {
	return responder.IssuerRequest{
		Timeout: f.Settings.Timeout, Proxy: f.Settings.Proxy,
		Guard: responder.Guard{AllowPrivateAddresses: f.Settings.AllowPrivateAddresses, AllowedResponders: f.Settings.AllowedResponders},
	}
}

// ReadCertificates reads the file of certificates that a setting names; none
// for an empty path.
func ReadCertificates(setting, path string) ([]*x509.Certificate, error) {
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
