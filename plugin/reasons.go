package plugin

import (
	"github.com/consul-ocsp/consul-ocsp/plugin/canary"
	"github.com/consul-ocsp/consul-ocsp/plugin/chronicle"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/served"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// ReasonMeaning explains one reason, in a line for each of its meanings.
type ReasonMeaning struct {
	Reason   string
	Meanings []string
}

// Reasons returns every word that says why in logs, metrics, status and records,
// in the order of a response's way.
func Reasons() []ReasonMeaning {
	var list []ReasonMeaning
	at := map[string]int{}
	add := func(reason, meaning string) {
		i, known := at[reason]
		if !known {
			i = len(list)
			at[reason] = i
			list = append(list, ReasonMeaning{Reason: reason})
		}
		list[i].Meanings = append(list[i].Meanings, meaning)
	}
	add(reasonCertificate, "a file holds no usable certificate, or an announced one is not believed")
	add(reasonAnnounceMax, "nodes announce more certificates than the leader follows")
	add(reasonDatacenter, "another datacenter of the job file can't be published to now")
	add(ReasonFallback, "the cluster does not fetch, so the node does for its own certificates")
	add(chronicle.Reason, "what is to be kept as evidence can't be written")
	add(served.ReasonUnlisted, "HAProxy serves a certificate that no job names")
	add(served.ReasonOtherBytes, "HAProxy has loaded other bytes than the file holds")
	add(fetcher.Off, "fetching is switched off")
	for _, m := range fetcher.Reasons() {
		add(m.Reason, m.Meaning)
	}
	for _, m := range responder.Reasons() {
		add(string(m.Reason), m.Meaning)
	}
	for _, m := range staple.Reasons() {
		add(string(m.Reason), m.Meaning)
	}
	for _, m := range status.Reasons() {
		add(m.Reason, m.Meaning)
	}
	for _, m := range writer.Reasons() {
		add(m.Reason, m.Meaning)
	}
	for _, m := range canary.Reasons() {
		add(m.Reason, m.Meaning)
	}
	for _, m := range haproxy.Kinds() {
		add(string(m.Kind), m.Meaning)
	}
	return list
}
