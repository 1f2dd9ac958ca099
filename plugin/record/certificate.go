package record

import "fmt"

// MaxCertificate is the largest v1/certificate record that is read, in bytes.
const MaxCertificate = 64 << 10

// Certificate is v1/certificate/<id>: a certificate that a node announced. It
// never changes once written. The private key is no part of it.
type Certificate struct {
	Format int `json:"format"`
	// Leaf and Issuer are DER, in base64 on the wire.
	Leaf   []byte `json:"leaf"`
	Issuer []byte `json:"issuer"`
	// Names are the leaf's host names.
	Names []string `json:"names"`
	// Job is the job of the node's job file that names the certificate, and
	// Name the certificate's name in it.
	Job  string `json:"job"`
	Name string `json:"name,omitempty"`
}

// ID is the id of the leaf.
func (c Certificate) ID() string { return hash(c.Leaf) }

// Encode is the JSON of c in this agent's format.
func (c Certificate) Encode() ([]byte, error) {
	c.Format = Format
	b, err := encode("certificate", c)
	if err == nil && len(b) > MaxCertificate {
		err = fmt.Errorf("certificate record: %d bytes; at most %d can be announced", len(b), MaxCertificate)
	}
	return b, err
}

// DecodeCertificate reads what was announced under id. That the leaf has this
// id is checked here; that the issuer signed it is for the caller to check.
func DecodeCertificate(id string, b []byte) (Certificate, error) {
	var c Certificate
	if err := decode("certificate", b, MaxCertificate, &c); err != nil {
		return Certificate{}, err
	}
	if c.ID() != id {
		return Certificate{}, fmt.Errorf("certificate record %.80q: its leaf has the id %s", id, c.ID())
	}
	if len(c.Issuer) == 0 {
		return Certificate{}, fmt.Errorf("certificate record %s: no issuer", id)
	}
	return c, nil
}
