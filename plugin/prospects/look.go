package prospects

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

// Look looks at everything that an agent would touch. Its certificates are those
// of the settings, and what HAProxies add to them; says is told how far it is.
func Look(ctx context.Context, mapped *settings.Settings, says func(doing string, done, total int)) *Report {
	says("reading certificates", 0, 0)
	own, problems := inventory.Read(mapped.Sources)
	s := &survey{settings: mapped, own: own, now: time.Now(), report: &Report{Certificates: []Prospect{}, Remarks: []Remark{}}}
	for _, p := range problems {
		s.remark(true, "%s", p.Error())
	}
	s.askServers(ctx)
	for i, c := range s.own {
		says("looking", i, len(s.own))
		s.report.Certificates = append(s.report.Certificates, s.certificate(c))
	}
	return s.report
}

// survey is one look.
type survey struct {
	settings *settings.Settings
	own      []inventory.Certificate
	now      time.Time
	servers  map[string][]*surveyed // by job
	report   *Report
}

func (s *survey) remark(hurts bool, format string, args ...any) {
	s.report.Remarks = append(s.report.Remarks, Remark{Hurts: hurts, Text: fmt.Sprintf(format, args...)})
}

// certificate looks at one certificate's issuer, file and servers.
func (s *survey) certificate(c inventory.Certificate) Prospect {
	job := s.settings.Config.Job(c.Job)
	p := Prospect{ID: c.ID, Job: c.Job, Name: c.Name, Path: c.Path, MustStaple: c.MustStaple, Issuer: string(c.IssuerFrom),
		Servers: []Reach{}, Remarks: []Remark{}}
	p.issuer(c, job)
	p.responder(c, s.settings.Fetch(c.Job, c.Name))
	if job.WriteFiles {
		p.file(c, s.settings, s.now)
	}
	if c.ZeroWarning && job.Placeholders() {
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
	case c.IssuerKnown() || !job.WriteFiles || job.OnlyNginx():
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
