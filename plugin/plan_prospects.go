package plugin

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// Prospects are what an agent with this configuration would meet on this node.
type Prospects struct {
	Certificates []Prospect `json:"certificates"`
	// Remarks are about jobs and servers as a whole.
	Remarks []Remark `json:"remarks"`
}

// Prospect is what delivering for one certificate would come to.
type Prospect struct {
	ID         string   `json:"id"`
	Job        string   `json:"job"`
	Name       string   `json:"name"`
	Path       string   `json:"path"`
	MustStaple bool     `json:"must_staple"`
	Issuer     string   `json:"issuer"` // where it is: config, pem, chains, file, aia, or none
	File       string   `json:"file,omitempty"`
	Owner      string   `json:"owner,omitempty"` // of File, empty where it is not there
	Holds      string   `json:"holds,omitempty"` // what File holds
	Servers    []Reach  `json:"servers"`
	Remarks    []Remark `json:"remarks"`
}

// Reach is what one server makes of one certificate.
type Reach struct {
	Server string `json:"server"`
	// Way is how a response would get there, one of the Way constants.
	Way        string   `json:"way"`
	Names      []string `json:"names,omitempty"` // HAProxy's own for it; empty: it does not serve it
	Registered bool     `json:"registered"`      // it takes a response while it runs
	Updates    bool     `json:"updates"`         // it asks the responder itself
}

// The ways of a response to a server.
const (
	WaySet         = "set"         // HAProxy takes it by set ssl ocsp-response
	WayTransaction = "transaction" // HAProxy takes it after set ssl cert and commit ssl cert
	WayReload      = "reload"      // the server reads its file when it is reloaded
	WayFile        = "file"        // the server does not run, its start reads the file
	WayRun         = "run"         // a command is run
	WayNone        = "none"        // the server does not serve the certificate
)

// Remark is something to know before switching. What hurts takes a staple, a
// reload or a start away.
type Remark struct {
	Hurts bool   `json:"hurts"`
	Text  string `json:"text"`
}

// Hurts tells whether anything would.
func (p *Prospects) Hurts() bool {
	hurts := func(r Remark) bool { return r.Hurts }
	return slices.ContainsFunc(p.Remarks, hurts) ||
		slices.ContainsFunc(p.Certificates, func(c Prospect) bool { return slices.ContainsFunc(c.Remarks, hurts) })
}

// Plan looks at everything that an agent would touch, and changes nothing. An
// error is one of the configuration.
func Plan(ctx context.Context, cfg *hclconfig.Config, o Options) (*Prospects, error) {
	mapped, err := settings.New(cfg, &settings.Targets{Logger: o.Logger, AskOnly: true})
	if err != nil {
		return nil, err
	}
	o.says(Progress{Doing: "reading certificates"})
	own, problems := inventory.Read(mapped.Sources)
	s := &survey{plan: mapped, own: own, now: time.Now(), report: &Prospects{Certificates: []Prospect{}, Remarks: []Remark{}}}
	for _, p := range problems {
		s.remark(true, "%s", p.Error())
	}
	s.askServers(ctx)
	for i, c := range s.own {
		o.says(Progress{Doing: "looking", Done: i, Total: len(s.own)})
		s.report.Certificates = append(s.report.Certificates, s.certificate(c))
	}
	return s.report, nil
}

// survey is one look.
type survey struct {
	plan    *settings.Settings
	own     []inventory.Certificate
	now     time.Time
	servers map[string][]*surveyed // by job
	report  *Prospects
}

func (s *survey) remark(hurts bool, format string, args ...any) {
	s.report.Remarks = append(s.report.Remarks, Remark{Hurts: hurts, Text: fmt.Sprintf(format, args...)})
}

// certificate looks at one certificate's issuer, file and servers.
func (s *survey) certificate(c inventory.Certificate) Prospect {
	job := s.plan.Config.Job(c.Job)
	p := Prospect{ID: c.ID, Job: c.Job, Name: c.Name, Path: c.Path, MustStaple: c.MustStaple, Issuer: string(c.IssuerFrom),
		Servers: []Reach{}, Remarks: []Remark{}}
	p.issuer(c, job)
	p.responder(c, s.plan.Fetch(c.Job, c.Name))
	if job.WriteFiles {
		p.file(c, s.plan, s.now)
	}
	if c.ZeroWarning && placeholders(job) {
		p.remark(true, "HAProxy's configuration says zero-warning, and it would not start with an empty response: no placeholder will be written; remove the one or the other")
	}
	for _, server := range s.servers[c.Job] {
		p.Servers = append(p.Servers, server.reach(c, &p))
	}
	if c.SelfUpdating && !slices.ContainsFunc(p.Servers, func(r Reach) bool { return r.Updates }) {
		p.remark(false, "HAProxy's configuration has ocsp-update on for it: harmless beside us, and pointless")
	}
	return p
}

func (p *Prospect) remark(hurts bool, format string, args ...any) {
	p.Remarks = append(p.Remarks, Remark{Hurts: hurts, Text: fmt.Sprintf(format, args...)})
}

// issuer says whether we and a starting HAProxy know the issuer.
func (p *Prospect) issuer(c inventory.Certificate, job *hclconfig.Job) {
	switch {
	case c.Issuer != nil:
	case len(c.Leaf.IssuingCertificateURL) > 0:
		p.Issuer = "aia"
		p.remark(false, "the issuer is in no file: it will be downloaded from %s", c.Leaf.IssuingCertificateURL[0])
	default:
		p.Issuer = "none"
		p.remark(true, "the issuer is in no file, and the certificate has no URL for it: nothing can be verified; put it into the PEM, or set issuer")
	}
	switch {
	case c.IssuerKnown() || !job.WriteFiles || len(job.HAProxy) == 0 && len(job.Nginx) > 0:
	case c.IssuerFile == "":
		p.remark(true, "HAProxy finds the issuer neither in the PEM nor beside it, and its configuration lets nobody put it there: no file will be written; put the issuer into the PEM")
	case !job.WriteIssuer:
		p.remark(true, "HAProxy would not start with a response beside a certificate whose issuer it can't find, and write_issuer is false: no file will be written; put the issuer into the PEM")
	default:
		p.remark(false, "the issuer will be written to %s, so that HAProxy finds it", c.IssuerFile)
	}
}

func (p *Prospect) responder(c inventory.Certificate, f settings.Fetch) {
	switch {
	case f.Settings.Off:
		p.remark(c.MustStaple, "fetching is switched off for it")
	case len(f.Settings.Responders) == 0 && len(c.Leaf.OCSPServer) == 0:
		p.remark(c.MustStaple, "it names no responder: there is nothing to staple")
	}
}

// file says what is where the response goes.
func (p *Prospect) file(c inventory.Certificate, mapped *settings.Settings, now time.Time) {
	p.File = c.OCSPFile
	probe := writer.ProbeFile(c.OCSPFile, mapped.Config.TrustedFolders)
	p.Owner = probe.Owner
	if probe.Err != nil {
		p.remark(true, "%s: %v", writer.ReasonOf(probe.Err), probe.Err)
	}
	if !probe.Exists {
		return
	}
	if !c.IssuerKnown() {
		p.remark(true, "%s is there, and HAProxy does not find the issuer: up to 3.4 its next start or reload fails", c.OCSPFile)
	}
	switch {
	case len(probe.Holds) == 0:
		p.Holds = "nothing"
		return
	case bytes.Contains(probe.Holds, []byte("-----BEGIN")):
		p.Holds = "a PEM"
		p.remark(true, "%s holds a PEM, which will not be replaced", c.OCSPFile)
		return
	case c.Issuer == nil:
		p.Holds = "what can't be verified without the issuer"
		return
	}
	settings := mapped.Fetch(c.Job, c.Name).Settings
	facts, err := staple.Verify(probe.Holds, c.Leaf, c.Issuer, settings.Judgement(now))
	if err != nil {
		p.Holds = "no valid response: " + err.Error()
		return
	}
	p.Holds = string(facts.Status) + " until " + facts.Until.UTC().Format(time.RFC3339)
}
