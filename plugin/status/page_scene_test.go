package status

import (
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
	return Own{Responders: []string{"ocsp.example.net"}, Verification: v}
}
