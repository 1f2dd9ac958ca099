package status

import (
	"context"
	"fmt"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// owned is what the agent behind a page in a browser has of each certificate.
func owned(string) Own {
	v := Verification{Node: "haproxy-000.eu"}
	v.Judge([]byte("the response"), []staple.Step{
		{Name: "encoding", Result: staple.StepOK, Detail: "471 bytes of DER"},
		{Name: "response status", Result: staple.StepOK, Detail: "successful"},
		{Name: "response extensions", Result: staple.StepOK, Detail: "0, none critical; no nonce"},
		{Name: "issuer", Result: staple.StepOK, Detail: `"CN=Test CA" issued the certificate`},
		{Name: "signer", Result: staple.StepWarning, Detail: `delegate "CN=Delegate" lacks id-pkix-ocsp-nocheck`},
		{Name: "update times", Result: staple.StepRefused, Detail: "expired: nextUpdate 2026-11-02T11:00:00Z"},
		{Name: "haproxy", Result: staple.StepNotReached},
	})
	return Own{Responders: []string{"ocsp.example.net"}, Asked: time.Now().Add(-time.Minute), Next: time.Now().Add(time.Hour), Verification: v}
}

// askedBefore is how responders behaved that the agent behind the page asked.
func askedBefore() func() Asking {
	r, now := NewResponders(), time.Now()
	for i := range 4321 {
		reason := ""
		switch {
		case i%40 == 7:
			reason = "timeout"
		case i%90 == 8:
			reason = "http-status"
		}
		r.Exchanged("ocsp.example.net", reason, time.Duration(20+i*i%300)*time.Millisecond, now.Add(time.Duration(i-4321)*time.Second))
	}
	r.Exchanged("ocsp.other.example:8080", "dns", time.Second, now.Add(-time.Minute))
	return func() Asking { return Asking{Node: "fetch-1", Fetches: true, Responders: r.List()} }
}

// looked is what the places on that agent's node have: HAProxy is behind.
func looked(_ context.Context, id string) (Here, error) {
	now := time.Now()
	newer := Truth{Says: "good", ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(6 * day), SHA256: id}
	older := Truth{Says: "good", ThisUpdate: now.Add(-5 * day), NextUpdate: now.Add(2 * day), SHA256: id[1:] + "0"}
	file, haproxy, client := newer, older, Truth{Place: "client", Says: "error", Error: "dial tcp 127.0.0.1:443: connect: connection refused"}
	file.Place, haproxy.Place = "file", "haproxy blue"
	return NewHere("haproxy-000.eu", now, []Truths{{ID: id, Job: "edge", Name: "site", Truths: []Truth{file, haproxy, client}}}), nil
}

// keptOf is what that agent keeps of the certificates but every other one.
func keptOf(_ context.Context, id string, _ time.Time, most int) (*History, error) {
	if id[0] >= '8' {
		return nil, nil
	}
	h, now := NewHistory(id, time.Now()), time.Now()
	h.Kept = 122
	for i := range most {
		made := now.Add(-time.Duration(i) * 84 * time.Hour)
		r := KeptResponse{SHA256: id, Verified: true, Status: "good", ThisUpdate: made, NextUpdate: made.Add(7 * day), Signer: "CN=Test CA", DER: []byte("DER")}
		if i == 2 {
			r.Verified, r.Status, r.Error = false, "", "it was changed: its SHA-256 is another one"
		}
		var places []record.Stapled
		for n := range 30 - i {
			s := record.Stapled{Node: fmt.Sprintf("haproxy-%03d.eu", n), At: made.Add(time.Duration(n) * time.Second), How: record.HowTold}
			if n == 0 {
				s.How, s.Target = record.HowFile, "/etc/haproxy/certs/www.pem.ocsp"
			}
			if n == 3 {
				s.How, s.After, s.Datacenter = record.HowSeen, made, "dc2"
			}
			places = append(places, s)
		}
		h.Add(r, record.Kept{Kept: made, Stapled: places})
	}
	return h, nil
}

// elsewhere is an agent that has no certificate and does not lead.
func elsewhere(o *HandlerOptions) {
	const node = "haproxy-002.eu"
	o.Own = func(string) Own {
		return Own{Verification: Verification{Node: node, Error: "this node has not the certificate"}}
	}
	o.Here = func(context.Context, string) (Here, error) { return NewHere(node, time.Now(), nil), nil }
	o.Responders = func() Asking { return Asking{Node: node, Responders: []Responder{}} }
	o.History = func(context.Context, string, time.Time, int) (*History, error) { return nil, nil }
}
