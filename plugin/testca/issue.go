package testca

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"time"
)

// IssueOptions describe a new certificate.
type IssueOptions struct {
	Key        KeyType   // default ECDSA
	MustStaple bool      // with the TLS feature status_request (RFC 7633)
	Responders []string  // OCSP URLs (AIA); none: the certificate has no responder
	IssuerURLs []string  // where the CA's certificate is (AIA caIssuers)
	NotBefore  time.Time // default: an hour ago
	NotAfter   time.Time // default: 90 days ahead, but not after the CA's
	OmitIssuer bool      // the PEM file holds leaf and key only
	Password   []byte    // encrypts the key in the PEM file; none: it lies open, as HAProxy wants it
	File       string    // path of the PEM file; default DIR/<name>.pem, where `*.` becomes `_.` and `:` becomes `_`

	// Delegate makes the certificate of an OCSP signer: OCSPSigning instead
	// of serverAuth, and id-pkix-ocsp-nocheck (RFC 6960, 4.2.2.2).
	Delegate bool
	// Template, where set, may change anything before the certificate is signed.
	Template func(*x509.Certificate)
}

// Issued is a new certificate with its key.
type Issued struct {
	Name   string // the first of the names
	Path   string // the PEM file
	Leaf   *x509.Certificate
	Serial *big.Int
	Key    crypto.Signer
}

// Issue signs a certificate for names, DNS names (`*.` allowed) or IP addresses;
// the first is the common name, too. The PEM file (0600) holds leaf, issuer and
// key, in this order. Issuing a name again replaces the file at once and leaves
// the older certificate valid in the index.
func (c *CA) Issue(names []string, o IssueOptions) (*Issued, error) {
	all, err := c.issue([][]string{names}, o)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// IssueMany signs a certificate for each name, all alike, and changes the index
// once. o.File must be empty.
func (c *CA) IssueMany(names []string, o IssueOptions) ([]*Issued, error) {
	if o.File != "" {
		return nil, errors.New("one file cannot hold many certificates")
	}
	each := make([][]string, len(names))
	for i, name := range names {
		each[i] = []string{name}
	}
	return c.issue(each, o)
}

// issueAtOnce is how many certificates change the index together: each change
// writes all of it.
const issueAtOnce = 200

// IssueEach signs a certificate for each list of names, all alike, and tells of
// each in turn what came of it, issued or the error. One that can't be issued
// keeps no other from it. o.File must be empty.
func (c *CA) IssueEach(each [][]string, o IssueOptions, tell func(*Issued, error)) {
	for some := range slices.Chunk(each, issueAtOnce) {
		signed, errs := make([]*Issued, len(some)), make([]error, len(some))
		var leaves []*x509.Certificate
		for i, names := range some {
			if signed[i], errs[i] = c.sign(names, o); errs[i] == nil {
				leaves = append(leaves, signed[i].Leaf)
			}
		}
		var unrecorded error
		if len(leaves) > 0 {
			unrecorded = c.record(leaves)
		}
		for i, issued := range signed {
			if errs[i] == nil {
				errs[i] = unrecorded
			}
			if errs[i] == nil {
				errs[i] = c.writePEM(issued, o)
			}
			if errs[i] != nil {
				issued = nil
			}
			tell(issued, errs[i])
		}
	}
}

func (c *CA) issue(each [][]string, o IssueOptions) ([]*Issued, error) {
	all := make([]*Issued, 0, len(each))
	for _, names := range each {
		i, err := c.sign(names, o)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	leaves := make([]*x509.Certificate, len(all))
	for i := range all {
		leaves[i] = all[i].Leaf
	}
	// The index comes first: a certificate that exists is one that the
	// responder knows.
	if err := c.record(leaves); err != nil {
		return nil, err
	}
	for _, i := range all {
		if err := c.writePEM(i, o); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sign makes a key and its certificate; nothing is written.
func (c *CA) sign(names []string, o IssueOptions) (*Issued, error) {
	if len(names) == 0 {
		return nil, errors.New("a certificate needs a name")
	}
	i := &Issued{Name: names[0], Path: o.File}
	if i.Path == "" {
		file, err := fileName(i.Name)
		if err != nil {
			return nil, err
		}
		i.Path = filepath.Join(c.dir, file)
	}
	t, err := c.leafTemplate(names, o)
	if err != nil {
		return nil, err
	}
	if i.Key, err = newKey(o.Key); err != nil {
		return nil, err
	}
	if t.SubjectKeyId, err = subjectKeyID(i.Key.Public()); err != nil {
		return nil, err
	}
	if o.Template != nil {
		o.Template(t)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, c.cert, i.Key.Public(), c.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %q: %w", i.Name, err)
	}
	if i.Leaf, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("certificate %q: %w", i.Name, err)
	}
	i.Serial = i.Leaf.SerialNumber
	return i, nil
}

func (c *CA) leafTemplate(names []string, o IssueOptions) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := c.now()
	t := &x509.Certificate{
		SerialNumber:          serial,
		SignatureAlgorithm:    c.algorithm(c.key.Public()),
		Subject:               pkix.Name{CommonName: names[0]},
		NotBefore:             firstTime(o.NotBefore, now.Add(-time.Hour)),
		NotAfter:              firstTime(o.NotAfter, now.AddDate(0, 0, 90)),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // CA:FALSE
		OCSPServer:            o.Responders,
		IssuingCertificateURL: o.IssuerURLs,
	}
	if o.NotAfter.IsZero() && t.NotAfter.After(c.cert.NotAfter) {
		t.NotAfter = c.cert.NotAfter
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return nil, err
		}
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	if o.MustStaple {
		// SEQUENCE { INTEGER 5 }: status_request (RFC 7633, 6).
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}})
	}
	if o.Delegate {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}})
	}
	return t, nil
}

func (c *CA) writePEM(i *Issued, o IssueOptions) error {
	text := encodeCertificate(i.Leaf)
	if !o.OmitIssuer {
		text = append(text, encodeCertificate(c.cert)...)
	}
	key, err := encodeKey(i.Key, o.Password)
	if err == nil {
		err = writeFile(i.Path, append(text, key...), 0o600)
	}
	if err != nil {
		return fmt.Errorf("certificate %q: %w", i.Name, err)
	}
	return nil
}

// subjectKeyID is the SHA-1 of the public key (RFC 5280, 4.2.1.2, method 1);
// crypto/x509 makes one by itself for CAs only.
func subjectKeyID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	bits, err := publicKeyBits(der)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(bits)
	return sum[:], nil
}

// publicKeyBits gives the content of the BIT STRING in a SubjectPublicKeyInfo.
func publicKeyBits(der []byte) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	return info.Key.RightAlign(), nil
}
