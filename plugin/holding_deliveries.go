package plugin

import (
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// deliveries are the certificates that a writer keeps stapled.
func (h *holding) deliveries() []writer.Certificate {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []writer.Certificate
	for _, c := range h.own {
		job := h.settings.Config.Job(c.Job)
		if job == nil {
			continue
		}
		settings := h.settings.Fetch(c.Job, c.Name).Settings
		onRevoked := ""
		if len(job.HAProxy) > 0 {
			onRevoked = job.HAProxy[0].OnRevoked // the same in all of a job
		}
		list = append(list, writer.Certificate{
			ID: c.ID, Job: c.Job, Name: c.Name, Path: c.Path, OCSPFile: c.OCSPFile,
			Leaf: c.Leaf, Issuer: c.Issuer, Pair: c.Pair, Names: c.Names, MustStaple: c.MustStaple,
			IssuerInPEM: c.IssuerInPEM, IssuerKnown: c.IssuerKnown(), IssuerFile: c.IssuerFile, IssuerOnlyInPEM: c.IssuerFile == "",
			NotHAProxy: job.OnlyNginx(),
			WriteFile:  job.WriteFiles, WriteIssuer: job.WriteIssuer, OnRevoked: onRevoked,
			Placeholder: job.Placeholders(), ZeroWarning: c.ZeroWarning,
			Options: writer.Options{
				AllowSHA1Signatures: settings.AllowSHA1Signatures, TrustedResponders: settings.TrustedResponders,
			},
			Targets: h.settings.Targets[c.Job],
		})
	}
	return list
}
