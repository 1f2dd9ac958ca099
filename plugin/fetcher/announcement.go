package fetcher

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Announcement is a certificate that a node announced and that was judged: what
// is needed of it from then on, and no more, since a leader may hold very many.
// It does not change.
type Announcement struct {
	brief      staple.Brief
	id         string
	job, name  string
	names      string // a line each
	responders *[]string
	mustStaple bool
}

// Announcements makes announcements that share what they have in common. The
// zero value is ready; it is for one goroutine at a time.
type Announcements struct {
	issuers    map[string]*x509.Certificate // by their DER
	responders map[string]*[]string         // by themselves, a line each
	jobs       map[string]string            // by themselves
}

// maxShared bounds what is remembered of each kind, whatever nodes announce.
const maxShared = 256

// Judge takes a certificate that some node announced under id, if the id is the
// hash of the leaf, the issuer signed the leaf, the leaf has not ended, and
// where there are trustedIssuers, it chains to one of them.
func (as *Announcements) Judge(id string, c record.Certificate, trustedIssuers []*x509.Certificate, now time.Time) (*Announcement, error) {
	pair, err := announced(id, c, trustedIssuers, now)
	if err != nil {
		return nil, err
	}
	leaf := pair.Leaf()
	brief, err := pair.On(leaf, as.issuer(pair.Issuer())).Brief()
	if err != nil {
		return nil, err
	}
	names := staple.Names(leaf)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, "\n") })
	a := &Announcement{
		brief: brief, id: strings.Clone(id), job: as.job(c.Job), name: c.Name, names: strings.Join(names, "\n"),
		responders: as.urls(leaf.OCSPServer), mustStaple: staple.MustStaple(leaf),
	}
	if strings.HasPrefix(a.names, a.name) { // as most nodes name them
		a.name = a.names[:len(a.name)]
	} else {
		a.name = strings.Clone(a.name)
	}
	return a, nil
}

// shared is the value that others have already under key.
func shared[V any](known *map[string]V, key string, v V) V {
	if old, ok := (*known)[key]; ok {
		return old
	}
	if *known == nil || len(*known) >= maxShared {
		*known = make(map[string]V)
	}
	(*known)[key] = v
	return v
}

func (as *Announcements) issuer(c *x509.Certificate) *x509.Certificate {
	return shared(&as.issuers, string(c.Raw), c)
}

func (as *Announcements) job(name string) string {
	name = strings.Clone(name)
	return shared(&as.jobs, name, name)
}

func (as *Announcements) urls(urls []string) *[]string {
	own := make([]string, 0, len(urls))
	for _, u := range urls {
		own = append(own, strings.Clone(u)) // not a part of the whole certificate
	}
	known := shared(&as.responders, strings.Join(own, "\n"), &own)
	if !slices.Equal(*known, own) { // one with a line break in it
		return &own
	}
	return known
}

// ID, Job and Name are the certificate's.
func (a *Announcement) ID() string   { return a.id }
func (a *Announcement) Job() string  { return a.job }
func (a *Announcement) Name() string { return a.name }

// HasNames reports whether the certificate was issued for these names, in the order
// of [staple.Names].
func (a *Announcement) HasNames(names []string) bool {
	return len(names) > 0 && a.names == strings.Join(names, "\n")
}

// NotBefore is the certificate's.
func (a *Announcement) NotBefore() time.Time { return a.brief.NotBefore() }

// Target is the certificate for a Fetcher, with these settings.
func (a *Announcement) Target(s Settings) Target {
	return Target{
		ID: a.id, Issuer: a.brief.Issuer(), Job: a.job, Name: a.name, names: a.names,
		MustStaple: a.mustStaple, Announced: true, Settings: s, announcement: a,
	}
}
