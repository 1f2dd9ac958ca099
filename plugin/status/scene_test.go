package status

import (
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// id is an id of one digit.
func id(digit string) string { return strings.Repeat(digit, 64) }

// meta is a response of this age with this time left.
func meta(name string, age, left time.Duration, change func(*record.Meta)) record.Meta {
	m := record.Meta{
		Format: record.Format, SHA256: id("0"), Serial: "0a1b", Issuer: "CN=Test CA", Status: "good",
		ThisUpdate: noon.Add(-age), NextUpdate: noon.Add(left), Until: noon.Add(left),
		Names: []string{name + ".example.com"}, Responder: "http://ocsp.example.net", Job: "edge", Name: name,
	}
	if change != nil {
		change(&m)
	}
	return m
}

func applied(digit string, age time.Duration) record.Applied {
	return record.Applied{ID: id(digit), ThisUpdate: noon.Add(-age), Status: "good"}
}

func node(name string, age time.Duration, change func(*record.Node)) record.Node {
	n := record.Node{
		Format: record.Format, Node: name, Instance: "i", Version: "0.1.0", Roles: []string{"deliver"},
		Seen: noon.Add(-age), Started: noon.Add(-48 * time.Hour), Certificates: 2, Stapled: 2,
	}
	if change != nil {
		change(&n)
	}
	return n
}

const day = 24 * time.Hour

// cluster has a staple and a node in every state.
func cluster() *record.Snapshot {
	return &record.Snapshot{
		Format: 1, Generation: 42,
		Leader: &record.Leader{Node: "fetch-1", Version: "0.1.0", Since: noon.Add(-day)},
		Metas: map[string]record.Meta{
			id("1"): meta("www", 12*time.Hour, 6*day, nil),
			id("2"): meta("shop", 3*day, 4*day, func(m *record.Meta) { m.MustStaple = true }),
			id("3"): meta("old", 90*time.Hour, 10*time.Hour, nil),
			id("4"): meta("gone", 5*day, -2*time.Hour, nil),
			id("5"): meta("stolen", time.Hour, day, func(m *record.Meta) {
				m.Status, m.RevokedAt, m.RevocationReason = "revoked", noon.Add(-2*time.Hour), "keyCompromise"
			}),
			id("6"): meta("short", time.Minute, 4*time.Minute, func(m *record.Meta) { m.Unstaplable = []string{"short-lived"} }),
			id("7"): meta("slow", day, 3*day, func(m *record.Meta) { m.MustStaple = true }),
			id("8"): meta("announced", day, 3*day, func(m *record.Meta) {
				m.Job, m.Name, m.Names = "", "", []string{"a-rather-long-name.of-a-department.example.com", "example.com"}
			}),
		},
		Troubles: map[string]record.Trouble{
			id("4"): {Reason: "http-status", Error: "http-status: http://ocsp.example.net: 503 Service Unavailable", Since: noon.Add(-3 * day), Failures: 120},
			id("7"): {Reason: "timeout", Error: "http://ocsp.example.net: no answer within 10s", Since: noon.Add(-time.Hour), Failures: 1},
			id("9"): {Reason: "unauthorized", Error: "unauthorized", Since: noon.Add(-10 * time.Minute), Failures: 3, Job: "edge", Name: "new", Names: []string{"new.example.com"}},
		},
		Nodes: map[string]record.Node{
			"haproxy-1": node("haproxy-1", time.Minute, func(n *record.Node) {
				n.Applied = []record.Applied{applied("1", 12*time.Hour), applied("2", 3*day)}
			}),
			"haproxy-2": node("haproxy-2", 90*time.Second, func(n *record.Node) {
				n.Stapled, n.Troubles = 1, 2
				n.Applied = []record.Applied{applied("1", 24*time.Hour)}
				n.Trouble = []record.NodeTrouble{{
					ID: id("2"), Job: "edge", Name: "shop", Target: "haproxy", Reason: "permission",
					Error: "/run/haproxy/admin.sock: permission denied", Since: noon.Add(-time.Hour),
				}}
			}),
			"haproxy-3": node("haproxy-3", 3*day, nil),
			"haproxy-4": node("haproxy-4", -time.Hour, nil),
			"fetch-1":   node("fetch-1", 2*time.Second, func(n *record.Node) { n.Roles, n.Certificates, n.Stapled = []string{"fetch"}, 0, 0 }),
		},
		Unreadable: map[string]string{"consul-ocsp/v1/meta/" + id("a"): "meta record: not the JSON that is expected there"},
	}
}

// calm has nothing that anybody need look at.
func calm() *record.Snapshot {
	s := cluster()
	return &record.Snapshot{
		Format: 1, Generation: 7,
		Metas: map[string]record.Meta{id("1"): s.Metas[id("1")], id("2"): s.Metas[id("2")]},
		Nodes: map[string]record.Node{"haproxy-1": s.Nodes["haproxy-1"]},
	}
}
