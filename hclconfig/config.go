package hclconfig

import (
	"fmt"
	"slices"
	"time"
)

// Config is one whole configuration. It holds plain values: a nil pointer to a
// block means that the block is absent, and every other default is filled in.
type Config struct {
	Roles          []string // of "fetch" and "deliver", at least one, none twice
	NodeName       string   // empty: the Consul node's name, else the host's
	DataDir        string   // absolute
	LockDir        string   // absolute
	TrustedFolders []string // absolute
	Fallback       bool     // fetch for own certificates when the cluster can't

	LogLevel          string // trace, debug, info, warn, error or off
	LogJSON           bool
	LogFile           string // absolute, or empty for standard error
	LogRotateBytes    int    // 0: by size never
	LogRotateMaxFiles int    // 0: keep all
	EnableSyslog      bool
	SyslogFacility    string
	LogOCSPUpdate     bool

	HTTP      *HTTP
	Pull      *Pull
	Telemetry Telemetry
	Service   *Service
	Consul    *Consul // nil: standalone
	Announce  Announce
	Fetch     Fetch // the top-level block; jobs hold their own resolved copy
	Jobs      []Job // in the order of the files; may be empty in a cluster
	OnEvent   OnEvent

	Files []string // the files that were read, in order
}

// HasRole tells whether the configuration gives an agent this role.
func (c *Config) HasRole(role string) bool { return slices.Contains(c.Roles, role) }

// Job returns the job of that name, or nil.
func (c *Config) Job(name string) *Job {
	for i := range c.Jobs {
		if c.Jobs[i].Name == name {
			return &c.Jobs[i]
		}
	}
	return nil
}

// Source is the place of a block in a job file.
type Source struct {
	File string
	Line int // from 1; 0: not from a file
}

// String returns "file:line", as editors understand it.
func (s Source) String() string { return fmt.Sprintf("%s:%d", s.File, s.Line) }

// HTTP is the listener for status and metrics.
type HTTP struct {
	Address       string // host:port, or unix:///absolute/path
	StapleMetrics bool
	Hosts         []string   // host patterns that clients may ask by besides; see [MatchHost]
	TLS           *ServerTLS // nil: plain HTTP
	Source        Source
}

// ServerTLS is the certificate of the HTTP listener. All are absolute paths.
type ServerTLS struct {
	CertFile string
	KeyFile  string
	CAFile   string // clients must show a certificate of it; empty: none asked
}

// Pull is the listener that answers OCSP requests.
type Pull struct {
	Address string // host:port, or unix:///absolute/path
	Source  Source
}

// Telemetry says where metrics go, by Consul's names.
type Telemetry struct {
	MetricsPrefix   string
	DisableHostname bool
	StatsdAddress   string
	DogstatsdAddr   string
	DogstatsdTags   []string
}

// Service is the registration of the agent in Consul's catalog.
type Service struct {
	Name   string
	Tags   []string
	Source Source
}

// OnEvent is what is run or called when something happens.
type OnEvent struct {
	Command []string
	Webhook string
	Events  []string
	Timeout time.Duration
}

// Job is a set of certificates, how their responses are fetched, and where
// these are delivered to. A job without certificates says how announced
// certificates of that job are fetched.
type Job struct {
	Name          string
	Certificates  []Certificate
	Globs         []Certificates
	CrtLists      []CrtList
	HAProxyConfig []HAProxyConfig
	Fetch         Fetch // top-level block, with the job's own settings over it
	WriteFiles    bool
	WriteIssuer   bool
	Connect       string // host:port where clients get these certificates; empty: not known
	HAProxy       []DeliverHAProxy
	Nginx         []DeliverNginx
	Exec          []DeliverExec
	Canary        *Canary
	Source        Source
}

// HasCertificates tells whether the job names certificates in any way.
func (j *Job) HasCertificates() bool {
	return len(j.Certificates)+len(j.Globs)+len(j.CrtLists)+len(j.HAProxyConfig) > 0 || j.Discovers()
}

// Discovers tells whether some HAProxy says which certificates the job has.
func (j *Job) Discovers() bool {
	return slices.ContainsFunc(j.HAProxy, func(d DeliverHAProxy) bool { return d.Discover })
}

// Placeholders tells whether the job wants an empty file where there is no response
// yet: the files are those of all its targets.
func (j *Job) Placeholders() bool {
	return slices.ContainsFunc(j.HAProxy, func(d DeliverHAProxy) bool { return d.Placeholder })
}

// OnlyNginx tells whether the job's files are for nginx and for no HAProxy.
func (j *Job) OnlyNginx() bool { return len(j.HAProxy) == 0 && len(j.Nginx) > 0 }

// Certificate is one certificate named by a job.
type Certificate struct {
	Name     string
	Path     string // absolute; a PEM whose first CERTIFICATE is the leaf
	Issuer   string // absolute, or empty: in the PEM, then <path>.issuer, then AIA
	OCSPFile string // absolute, or empty: <path>.ocsp or what HAProxy's configuration says
	Fetch    Fetch  // the job's, with the certificate's own settings over it
	Source   Source
}

// Certificates are certificates found by folders and globs. A certificate's
// name is its file name without folder and ending.
type Certificates struct {
	Paths   []string // absolute globs or folders
	Exclude []string // absolute globs, or globs without a "/" for the file name alone
	Source  Source
}

// CrtList is a crt-list of HAProxy.
type CrtList struct {
	Path   string
	Source Source
}

// HAProxyConfig is a configuration file of HAProxy that names certificates.
type HAProxyConfig struct {
	Path   string
	Source Source
}

// Canary is a certificate of a private CA, revoked and renewed on schedule.
type Canary struct {
	Certificate string        // its name in the job
	Revoke      []string      // command, run by the agent that leads
	Renew       []string      // command, run by the agent that leads
	Every       time.Duration // from one round's start to the next
	Within      time.Duration // how long nodes may take; half of Every at most
	Timeout     time.Duration // of a command
	Source      Source
}
