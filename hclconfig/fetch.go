package hclconfig

import (
	"fmt"
	"slices"
	"time"
)

// Fetch is how responses are fetched. In a Config it is always complete: what
// a block does not set is that of the block around it.
type Fetch struct {
	MinDelay              time.Duration
	MaxDelay              time.Duration // >= MinDelay
	Timeout               time.Duration // of one whole exchange
	Proxy                 string        // URL or host:port
	Responder             []string      // absolute http(s) URLs; empty: the certificate's own; [""]: fetching is off
	Host                  string        // Host header; empty: that of the URL
	TrustedResponders     string        // absolute path
	TrustedIssuers        string        // absolute path
	AllowedResponders     []string      // host patterns; see [MatchHost]
	AllowedAt             Source        // where AllowedResponders is set
	AllowPrivateAddresses bool
	AllowSHA1Signatures   bool
	Concurrency           int // exchanges at a time per responder host
	Rate                  int // exchanges per second and responder host
	History               int // signed responses kept per certificate
}

// Off tells whether fetching is switched off by responder = [""].
func (f *Fetch) Off() bool { return len(f.Responder) == 1 && f.Responder[0] == "" }

// fetch reads a fetch block over what holds around it.
func (p *parser) fetch(b *block, f Fetch) Fetch {
	before := len(p.diags)
	b.duration("min_delay", &f.MinDelay, instant, 30*day)
	b.duration("max_delay", &f.MaxDelay, instant, 30*day)
	b.duration("timeout", &f.Timeout, instant, 5*time.Minute)
	b.text("proxy", &f.Proxy, orEmpty(proxyAddress))
	p.fetchOne(b, &f)
	b.text("trusted_issuers", &f.TrustedIssuers, orEmpty(absoluteFile))
	b.texts("allowed_responders", &f.AllowedResponders, hostPattern)
	if a := b.attrs["allowed_responders"]; a != nil {
		f.AllowedAt = sourceOf(a.NameRange)
	}
	b.boolean("allow_private_addresses", &f.AllowPrivateAddresses)
	b.boolean("allow_sha1_signatures", &f.AllowSHA1Signatures)
	b.number("concurrency", &f.Concurrency, 1, 1024)
	b.number("rate", &f.Rate, 1, 100_000)
	b.number("history", &f.History, 0, 10_000)
	b.done()
	if len(p.diags) == before && f.MinDelay > f.MaxDelay && (b.has("min_delay") || b.has("max_delay")) {
		p.fail(b.place("min_delay", "max_delay"), "min_delay above max_delay",
			fmt.Sprintf("The next fetch is between min_delay (%s) and max_delay (%s) from now. Raise max_delay or lower min_delay; "+
				"what this block leaves out is that of the fetch block around it, or the default.", short(f.MinDelay), short(f.MaxDelay)))
	}
	p.allowed(b, &f)
	return f
}

// fetchCertificate reads the fetch block of one certificate.
func (p *parser) fetchCertificate(b *block, f Fetch) Fetch {
	p.fetchOne(b, &f)
	for _, name := range []string{
		"min_delay", "max_delay", "timeout", "proxy", "trusted_issuers", "allowed_responders", "allow_private_addresses",
		"allow_sha1_signatures", "concurrency", "rate", "history",
	} {
		if a := b.attrs[name]; a != nil {
			p.fail(a.NameRange, name+" in a certificate",
				name+" holds for a whole job. For one certificate there are responder, host and trusted_responders; move "+name+" to the fetch block of the job.")
			delete(b.attrs, name)
		}
	}
	b.done()
	p.allowed(b, &f)
	return f
}

// fetchOne reads what may differ between the certificates of a job.
func (p *parser) fetchOne(b *block, f *Fetch) {
	before := len(p.diags)
	b.texts("responder", &f.Responder, orEmpty(responderURL))
	if len(p.diags) == before && len(f.Responder) > 1 && slices.Contains(f.Responder, "") {
		p.invalid("responder", b.place("responder"), "An empty URL switches fetching off and stands alone: responder = [\"\"]. Remove it, or the other URLs.")
	}
	b.text("host", &f.Host, orEmpty(hostHeader))
	b.text("trusted_responders", &f.TrustedResponders, orEmpty(absoluteFile))
}

// allowed refuses a responder that allowed_responders would never let us ask.
func (p *parser) allowed(b *block, f *Fetch) {
	if len(f.AllowedResponders) == 0 || f.Off() || !b.has("responder") && !b.has("allowed_responders") {
		return
	}
	for i, responder := range f.Responder {
		host := hostOf(responder)
		fits := func(pattern string) bool { return MatchHost(pattern, host) }
		if host == "" || slices.ContainsFunc(f.AllowedResponders, fits) {
			continue
		}
		at := b.place("responder", "allowed_responders")
		if a := b.attrs["responder"]; a != nil {
			at = elementRange(a.Expr, i)
		}
		p.fail(at, "Responder not allowed",
			fmt.Sprintf("allowed_responders has no pattern for the host of %s, so it would never be asked. Add %q there, or remove the responder.", redacted(responder), host))
	}
}
