package fetcher

import (
	"context"
	"crypto/x509"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Settings say how a certificate's response is fetched. Zero values stand for
// the defaults in brackets.
type Settings struct {
	// MinDelay and MaxDelay bound the time between two fetches of one
	// certificate [5m, 1h]. What ends earlier is fetched earlier.
	MinDelay, MaxDelay time.Duration
	// Timeout bounds one exchange [10s].
	Timeout time.Duration
	// Responders replace the URLs of the certificate; they may have private
	// addresses.
	Responders []string
	// Off switches fetching off.
	Off bool
	// Proxy is a URL or host:port; empty: what HTTP_PROXY and NO_PROXY say.
	Proxy string
	// Host replaces the Host header.
	Host string
	// TrustedResponders may sign responses besides the issuer and its delegates.
	TrustedResponders []*x509.Certificate
	// AllowedResponders and AllowPrivateAddresses are those of [responder.Guard].
	AllowedResponders     []string
	AllowPrivateAddresses bool
	AllowSHA1Signatures   bool
	// Concurrency and Rate bound the exchanges at a time [32], and per second
	// [200], with one responder host. How many go on at a time begins with
	// 4 and adapts to what the host bears. Where targets of a host differ, the
	// smaller one counts.
	Concurrency int
	Rate        float64
}

// Judgement are the options by which responses are verified at a time.
func (s Settings) Judgement(now time.Time) staple.Options {
	return staple.Options{Now: now, AllowSHA1Signatures: s.AllowSHA1Signatures, TrustedResponders: s.TrustedResponders}
}

func (s Settings) withDefaults() Settings {
	if s.MinDelay <= 0 {
		s.MinDelay = 5 * time.Minute
	}
	if s.MaxDelay <= 0 {
		s.MaxDelay = time.Hour
	}
	s.MaxDelay = max(s.MaxDelay, s.MinDelay)
	if s.Timeout <= 0 {
		s.Timeout = responder.DefaultTimeout
	}
	if s.Concurrency <= 0 {
		s.Concurrency = 32
	}
	if s.Rate <= 0 {
		s.Rate = 200
	}
	return s
}

// Target is one certificate to keep a response for.
type Target struct {
	// ID is the id of Leaf.
	ID           string
	Leaf, Issuer *x509.Certificate
	Job, Name    string
	Names        []string
	MustStaple   bool
	// Announced says that another node named the certificate: its URLs may
	// not lead to private addresses, and only our own Settings count.
	Announced bool
	Settings  Settings

	// announcement stands for Leaf, which is nil then, and names for Names.
	announcement *Announcement
	names        string
	// pair is Leaf and Issuer, where it was proven before that they belong
	// together; nil: the first response to come proves it.
	pair *staple.Pair
}

// notBefore and notAfter are the certificate's.
func (t Target) notBefore() time.Time {
	if t.announcement != nil {
		return t.announcement.brief.NotBefore()
	}
	return t.Leaf.NotBefore
}

func (t Target) notAfter() time.Time {
	if t.announcement != nil {
		return t.announcement.brief.NotAfter()
	}
	return t.Leaf.NotAfter
}

// hostNames are the certificate's.
func (t Target) hostNames() []string {
	if t.names != "" {
		return strings.Split(t.names, "\n")
	}
	return t.Names
}

// issuerName is its issuer's, for people.
func (t Target) issuerName() string {
	if t.announcement != nil {
		return t.Issuer.Subject.String() // the same: it has signed the certificate
	}
	return t.Leaf.Issuer.String()
}

// Pair is the certificate and its issuer, for whoever judges responses besides.
func (t Target) Pair() *staple.Pair {
	if t.announcement != nil {
		return t.announcement.brief.Pair()
	}
	return staple.NewPair(t.Leaf, t.Issuer)
}

// request is the OCSP request for it.
func (t Target) request() ([]byte, error) {
	if t.announcement != nil {
		return t.announcement.brief.Request()
	}
	return staple.NewRequest(t.Leaf, t.Issuer)
}

// maxURLs is how many of a certificate's responder URLs are asked.
const maxURLs = 8

// urls are the responders to ask, in order.
func (t Target) urls() []string {
	urls := t.Settings.Responders
	switch {
	case len(urls) > 0:
	case t.announcement != nil:
		urls = *t.announcement.responders
	default:
		urls = t.Leaf.OCSPServer
	}
	return urls[:min(len(urls), maxURLs)]
}

// Hosts are the hosts and ports of the responders to ask, in order.
func (t Target) Hosts() []string {
	var hosts []string
	for _, u := range t.urls() {
		if host := hostOf(u); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// guard is what the target may reach.
func (t Target) guard() responder.Guard {
	return responder.Guard{
		AllowPrivate:          !t.Announced || len(t.Settings.Responders) > 0,
		AllowPrivateAddresses: t.Settings.AllowPrivateAddresses,
		AllowedResponders:     t.Settings.AllowedResponders,
	}
}

// label names the target in logs. The name of an announced certificate is what
// some node wrote.
func (t Target) label() string {
	if record.ValidName(t.Job) && record.ValidName(t.Name) {
		return t.Job + "/" + t.Name
	}
	return t.ID
}

// sameQuestion reports whether a and b ask the same of the same, and judge the
// answer alike.
func sameQuestion(a, b Target) bool {
	x, y := a.Settings, b.Settings
	return sameCertificate(a.Issuer, b.Issuer) && a.Announced == b.Announced &&
		x.Off == y.Off && x.Host == y.Host && x.Proxy == y.Proxy &&
		x.AllowPrivateAddresses == y.AllowPrivateAddresses && x.AllowSHA1Signatures == y.AllowSHA1Signatures &&
		slices.Equal(x.Responders, y.Responders) && slices.Equal(x.AllowedResponders, y.AllowedResponders) &&
		slices.EqualFunc(x.TrustedResponders, y.TrustedResponders, sameCertificate)
}

func sameCertificate(a, b *x509.Certificate) bool {
	return a == b || a != nil && b != nil && a.Equal(b)
}

// hostOf is what limits and queues go by: the host and port of a responder's
// URL, "" for what is no URL.
func hostOf(responderURL string) string {
	u, err := url.Parse(responderURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// Publisher takes verified responses to whoever delivers them. Its methods may
// be called concurrently.
type Publisher interface {
	// Publish returns nil once all of the list is committed, or was there
	// already. After an error the whole list is handed over again, later and
	// perhaps divided otherwise.
	Publish(ctx context.Context, list []record.Staple) error
	// Trouble keeps why fetches for id fail; nil forgets it.
	Trouble(ctx context.Context, id string, t *record.Trouble) error
}

// Store keeps verified responses over restarts. Its methods may be called
// concurrently.
type Store interface {
	// Staple is what is stored; it is verified again by the caller.
	Staple(id string) (record.Staple, bool, error)
	// Put stores st if it supersedes what is stored, and reports whether.
	Put(st record.Staple) (changed bool, err error)
	// Replace stores st whatever is stored.
	Replace(st record.Staple) error
}

// Config is what a Fetcher is made from. Store, Publisher and Client are
// required.
type Config struct {
	Store     Store
	Publisher Publisher
	Client    *responder.Client
	// Gather is how long responses are collected before they are published
	// together.
	Gather time.Duration
	// Prompt says that a certificate becomes a target when a response is due: a
	// Run asks for it at once, even though the store has one that lives. What the
	// store has is handed to the Publisher all the same.
	Prompt bool
	// Ended, if set, is told of the end of each turn. It must not block or call
	// the Fetcher.
	Ended func(Result)
	// Exchanged, if set, is told of each exchange with a responder host: why it
	// failed, "" if it did not, and how long it took. As Ended, it must not block.
	Exchanged func(host, reason string, took time.Duration)
	// Planned, if set, reports whether a certificate is revoked by plan: that is no
	// error then.
	Planned func(id string) bool
	Logger  hclog.Logger
	// Now is the clock, default time.Now; Rand gives numbers in [0, 1), and may
	// be called concurrently.
	Now  func() time.Time
	Rand func() float64
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		// Without the monotonic clock, which says nothing of when a response ends.
		c.Now = func() time.Time { return time.Now().Round(0) }
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return c
}
