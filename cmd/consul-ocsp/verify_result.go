package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

// verdict is what verify -json prints. Fields are added, never renamed; those
// that don't apply are left out. Times are RFC 3339 in UTC.
type verdict struct {
	Address    string   `json:"address"`
	ServerName string   `json:"server_name"`
	ID         string   `json:"id,omitempty"`
	Serial     string   `json:"serial,omitempty"`
	Names      []string `json:"names,omitempty"`
	MustStaple bool     `json:"must_staple"`
	TLSVersion string   `json:"tls_version"`
	Cipher     string   `json:"cipher"`
	Chain      string   `json:"chain"` // "verified" or "not checked"

	// Result is good, revoked, unknown, refused, or none where nothing was
	// stapled.
	Result string `json:"result"`
	// Reason is the one word for which a response was refused: one of
	// staple.Reasons, or issuer-unknown.
	Reason string `json:"reason,omitempty"`
	Error  string `json:"error,omitempty"`

	Size               int        `json:"size,omitempty"` // of the staple, in bytes
	SHA256             string     `json:"sha256,omitempty"`
	ThisUpdate         *time.Time `json:"this_update,omitempty"`
	NextUpdate         *time.Time `json:"next_update,omitempty"`
	ProducedAt         *time.Time `json:"produced_at,omitempty"`
	RevokedAt          *time.Time `json:"revoked_at,omitempty"`
	RevocationReason   string     `json:"revocation_reason,omitempty"`
	Until              *time.Time `json:"until,omitempty"`
	Signer             string     `json:"signer,omitempty"`
	SignatureAlgorithm string     `json:"signature_algorithm,omitempty"`

	// Here is what this node's places have for the certificate; left out
	// without a job file.
	Here []status.Truths `json:"here,omitempty"`
}

func newVerdict(o handshake.Options, r *handshake.Result) *verdict {
	v := &verdict{
		Address: o.Address, ServerName: o.ServerName, MustStaple: r.MustStaple,
		TLSVersion: r.Version, Cipher: r.Cipher, Chain: "not checked", Size: len(r.Staple),
	}
	if o.RootCAs != nil {
		v.Chain = "verified"
	}
	if r.Leaf != nil {
		v.ID, v.Serial, v.Names = staple.ID(r.Leaf), serialOf(r.Leaf), staple.Names(r.Leaf)
	}
	switch {
	case len(r.Staple) == 0:
		v.Result = "none"
	case r.Refusal != nil:
		v.Result, v.Reason, v.Error = "refused", string(staple.ReasonOf(r.Refusal)), r.Refusal.Error()
		if r.Issuer == nil {
			v.Reason = "issuer-unknown"
		}
	default:
		v.add(r.Facts)
	}
	return v
}

// add takes over what a verified response says.
func (v *verdict) add(f *staple.Facts) {
	v.Result, v.SHA256 = string(f.Status), f.SHA256()
	v.ThisUpdate, v.NextUpdate = known(f.ThisUpdate), known(f.NextUpdate)
	v.ProducedAt, v.RevokedAt, v.Until = known(f.ProducedAt), known(f.RevokedAt), known(f.Until)
	v.RevocationReason, v.SignatureAlgorithm = f.RevocationReason, f.SignatureAlgorithm
	v.Signer = f.Signer.Subject.String()
}

// known is nil for the zero time, which JSON would show as the year 1.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// print shows the verdict to people.
func (v *verdict) print(c *command, o handshake.Options, r *handshake.Result) error {
	fmt.Fprintf(c.stdout, "TLS server %s\n", printable(v.Address))
	t := newTable(c.stdout)
	t.row("server name", v.ServerName)
	t.row("connection", strings.TrimSpace(v.TLSVersion+" "+v.Cipher))
	t.row("chain", v.chain())
	t.row("names", strings.Join(v.Names, ", "))
	t.row("id", v.ID)
	t.row("serial", v.Serial)
	t.row("must-staple", yesNo(v.MustStaple))
	if f := r.Facts; f != nil {
		t.row("status", string(f.Status))
		t.row("revoked at", moment(f.RevokedAt, o.Now))
		t.row("reason", f.RevocationReason)
		life(t, f, o.Now)
		t.row("signer", signerOf(f))
		t.row("signature", f.SignatureAlgorithm)
	}
	for _, here := range v.Here {
		for _, one := range here.Truths {
			t.row(one.Place+" here", truthText(one, o.Now))
		}
	}
	t.flush()
	_, err := fmt.Fprintln(c.stdout, printable(v.line()))
	return err
}

func (v *verdict) chain() string {
	if v.Chain == "verified" {
		return "verified"
	}
	return "not checked: no -ca-file"
}

// line is the verdict in a line.
func (v *verdict) line() string {
	switch {
	case v.Result == "none" && v.MustStaple:
		return "nothing was stapled, and the certificate demands it"
	case v.Result == "none":
		return "nothing was stapled"
	case v.Reason == "issuer-unknown":
		return "a response was stapled, but the server does not send its issuer: give it with -ca-file"
	case v.Result == "refused":
		return "a response was stapled, but it is refused: " + v.Error
	case v.Result == string(staple.Good):
		return "stapled and verified: good"
	}
	return "stapled and verified, but it says " + v.Result
}
