package status

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// fleet has n certificates, some of them in trouble, on some nodes, and what is
// hostile among them.
func fleet(n, nodes int, now time.Time) *record.Snapshot {
	s := &record.Snapshot{
		Format: 1, Generation: 42, Leader: &record.Leader{Node: "fetch-1", Version: "0.1.0", Since: now.Add(-day)},
		Metas: map[string]record.Meta{}, Troubles: map[string]record.Trouble{}, Nodes: map[string]record.Node{},
	}
	var list []record.Applied
	for i := range n {
		id := record.Checksum(fmt.Append(nil, i))
		name := fmt.Sprintf("site-%05d", i)
		// Asked for at half of its life, each is younger than that.
		age := time.Duration(i%997) * 84 * time.Hour / 997
		m := record.Meta{
			Format: record.Format, SHA256: id, Serial: id[:32], Issuer: "CN=Test CA", Status: "good", Job: "edge", Name: name,
			Names: []string{name + ".example.com", "www." + name + ".example.com"}, Responder: "http://ocsp.example.net",
			ThisUpdate: now.Add(-age), NextUpdate: now.Add(7*day - age), Until: now.Add(7*day - age), MustStaple: i%37 == 5,
		}
		switch {
		case i%1000 == 17:
			m.Status, m.RevokedAt, m.RevocationReason = "revoked", now.Add(-2*time.Hour), "keyCompromise"
		case i%250 == 18:
			m.ThisUpdate, m.Until, m.NextUpdate = now.Add(-6*day), now.Add(day), now.Add(day)
			s.Troubles[id] = record.Trouble{Reason: "timeout", Error: "http://ocsp.example.net: no answer within 10s", Since: now.Add(-3 * day), Failures: 41}
		case i%250 == 19:
			s.Troubles[id] = record.Trouble{Reason: "http-status", Error: "503 Service Unavailable", Since: now.Add(-time.Hour), Failures: 4}
		case i%500 == 20:
			s.Troubles[id] = record.Trouble{Reason: "unauthorized", Error: "unauthorized", Since: now.Add(-time.Hour), Failures: 3, Job: "edge", Name: name, Names: m.Names}
			continue
		case i%500 == 21:
			m.ThisUpdate, m.Until, m.NextUpdate = now.Add(-8*day), now.Add(-day), now.Add(-day)
		}
		s.Metas[id] = m
		list = append(list, record.Applied{ID: id, ThisUpdate: m.ThisUpdate, Status: m.Status})
	}
	round := record.CanaryRound{
		Started: now.Add(-9 * time.Hour), Phase: record.CanaryEnded, Published: now.Add(-9*time.Hour + 31*time.Minute), Renewed: now.Add(-8 * time.Hour), Ended: now.Add(-7 * time.Hour),
		Nodes: map[string]record.CanaryNode{}, Failures: []record.CanaryFailure{{Reason: "canary-unseen", Error: "haproxy-002.eu: connection refused", At: now.Add(-7 * time.Hour)}},
	}
	s.Canaries = map[string]record.Canary{"edge": {Job: "edge", Name: "site-00003", Round: round}}
	for i := range nodes {
		name := fmt.Sprintf("haproxy-%03d.eu", i)
		round.Nodes[name] = record.CanaryNode{Applied: round.Published.Add(time.Second), Seen: round.Published.Add(1200 * time.Millisecond), Good: round.Renewed.Add(time.Minute)}
		if i == 2 {
			round.Nodes[name] = record.CanaryNode{Error: "dial tcp 127.0.0.1:443: connect: connection refused"}
		}
		node := record.Node{
			Format: record.Format, Node: name, Instance: "i", Version: "0.1.0", Roles: []string{"deliver"}, Seen: now.Add(-time.Minute),
			Started: now.Add(-48 * time.Hour), Certificates: n, Stapled: len(list), Applied: list,
		}
		if i%3 == 0 {
			node.Page = fmt.Sprintf("http://haproxy-%03d.eu:8509/", i)
		}
		if i%4 == 1 && len(list) > 30 {
			behind := append([]record.Applied{}, list[:len(list)-9]...)
			for k := range behind[:30] {
				behind[k].ThisUpdate = behind[k].ThisUpdate.Add(-day)
			}
			node.Applied, node.Stapled, node.Troubles = behind, len(behind), 1
			node.Trouble = []record.NodeTrouble{{
				ID: list[3].ID, Job: "edge", Name: "site-00003", Target: "haproxy", Reason: "permission",
				Error: "/run/haproxy/admin.sock: permission denied", Since: now.Add(-time.Hour),
			}}
		}
		s.Nodes[name] = node
	}
	return s
}

// served is a handler of the snapshot that may be replaced meanwhile, with what
// the agent behind it knows besides, but for what is changed.
func served(t testing.TB, now *atomic.Pointer[record.Snapshot], change ...func(*HandlerOptions)) http.Handler {
	t.Helper()
	ok := func(context.Context) Health { return Health{OK: true} }
	o := HandlerOptions{
		Read: func(context.Context) (*Report, error) { return FromSnapshot(now.Load(), time.Now()), nil },
		Live: ok, Ready: ok, Own: owned, Here: looked, History: keptOf, Responders: askedBefore(),
	}
	for _, c := range change {
		c(&o)
	}
	return Handler(t.Context(), o)
}

func of(s *record.Snapshot) *atomic.Pointer[record.Snapshot] {
	p := &atomic.Pointer[record.Snapshot]{}
	p.Store(s)
	return p
}

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
