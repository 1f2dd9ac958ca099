package plugin

import (
	"slices"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// deliveries are the certificates that a writer keeps stapled.
func (h *holding) deliveries() []writer.Certificate {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []writer.Certificate
	for _, c := range h.own {
		job := h.plan.Config.Job(c.Job)
		if job == nil {
			continue
		}
		settings := h.plan.Fetch(c.Job, c.Name).Settings
		onRevoked := ""
		if len(job.HAProxy) > 0 {
			onRevoked = job.HAProxy[0].OnRevoked // the same in all of a job
		}
		list = append(list, writer.Certificate{
			ID: c.ID, Job: c.Job, Name: c.Name, Path: c.Path, OCSPFile: c.OCSPFile,
			Leaf: c.Leaf, Issuer: c.Issuer, Pair: c.Pair, Names: c.Names, MustStaple: c.MustStaple,
			IssuerInPEM: c.IssuerInPEM, IssuerKnown: c.IssuerKnown(), IssuerFile: c.IssuerFile, IssuerOnlyInPEM: c.IssuerFile == "",
			NotHAProxy: len(job.HAProxy) == 0 && len(job.Nginx) > 0,
			WriteFile:  job.WriteFiles, WriteIssuer: job.WriteIssuer, OnRevoked: onRevoked,
			Placeholder: placeholders(job), ZeroWarning: c.ZeroWarning,
			Options: writer.Options{
				AllowSHA1Signatures: settings.AllowSHA1Signatures, TrustedResponders: settings.TrustedResponders,
			},
			Targets: h.plan.Targets[c.Job],
		})
	}
	return list
}

// placeholders tells whether a job wants an empty file where there is no response
// yet: the files are those of all its targets.
func placeholders(job *hclconfig.Job) bool {
	return slices.ContainsFunc(job.HAProxy, func(d hclconfig.DeliverHAProxy) bool { return d.Placeholder })
}
