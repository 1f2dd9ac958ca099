package testca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// CA is an authority in a folder. Its methods may be called concurrently, also
// while other processes use the same folder.
type CA struct {
	dir      string
	cert     *x509.Certificate
	key      crypto.Signer
	password []byte // of the signers' keys; none: they are not encrypted
	now      func() time.Time
}

// InitOptions describe a new CA.
type InitOptions struct {
	Name      string           // common name; default "consul-ocsp test CA", below another one "consul-ocsp test intermediate CA"
	Key       KeyType          // default ECDSA
	PSS       bool             // an RSA key signs with RSA-PSS from its own certificate on; below another CA: as that one does
	Password  []byte           // encrypts ca.key and the delegate's key; none: they lie open
	NotBefore time.Time        // default: an hour ago
	NotAfter  time.Time        // default: ten years ahead, but not after the parent's
	Now       func() time.Time // clock of the returned CA; default time.Now

	// Parent is the CA that signs this one, and has it in its index from then
	// on; nil: self-signed. A self-signed CA may have one level of CAs below it.
	Parent     *CA
	Responders []string // OCSP URLs of the parent's responder; for a CA with a parent
	IssuerURLs []string // where the parent's certificate is; likewise
}

// Init makes a CA in dir, and dir itself where it is absent. It refuses a folder
// that already holds a CA.
func Init(dir string, o InitOptions) (*CA, error) {
	if o.Name == "" {
		o.Name = "consul-ocsp test CA"
		if o.Parent != nil {
			o.Name = "consul-ocsp test intermediate CA"
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, name := range []string{"ca.pem", "ca.key", "index.txt"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return nil, fmt.Errorf("%s: already holds a CA (%s exists)", dir, name)
		}
	}
	if o.Parent != nil && o.Parent.cert.MaxPathLenZero {
		return nil, fmt.Errorf("CA %q in %s may have no CA below it (pathlen 0)", o.Parent.cert.Subject.CommonName, o.Parent.dir)
	}
	if err := checkPSS(o); err != nil {
		return nil, err
	}
	key, err := newKey(o.Key)
	if err != nil {
		return nil, err
	}
	c := &CA{dir: dir, key: key, password: o.Password, now: o.Now}
	if c.cert, err = c.signCA(o); err != nil {
		return nil, fmt.Errorf("certificate of CA %q: %w", o.Name, err)
	}
	if o.Parent != nil {
		// First, as with any certificate: what exists is what a responder knows.
		if err := o.Parent.record([]*x509.Certificate{c.cert}); err != nil {
			return nil, err
		}
	}
	return c, c.writeNew()
}

// signCA makes the CA's own certificate.
func (c *CA) signCA(o InitOptions) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := c.now()
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: o.Name},
		NotBefore:             firstTime(o.NotBefore, now.Add(-time.Hour)),
		NotAfter:              firstTime(o.NotAfter, now.AddDate(10, 0, 0)),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            1,
	}
	if o.PSS {
		t.SignatureAlgorithm = x509.SHA256WithRSAPSS
	}
	issuer, signer := t, c.key
	if o.Parent != nil {
		t.SignatureAlgorithm = o.Parent.algorithm(o.Parent.key.Public())
		issuer, signer = o.Parent.cert, o.Parent.key
		t.MaxPathLen, t.MaxPathLenZero = 0, true
		t.OCSPServer, t.IssuingCertificateURL = o.Responders, o.IssuerURLs
		if o.NotAfter.IsZero() && t.NotAfter.After(issuer.NotAfter) {
			t.NotAfter = issuer.NotAfter
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, c.key.Public(), signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// writeNew fills the folder. ca.pem comes last: with it the folder is a CA.
func (c *CA) writeNew() error {
	key, err := encodeKey(c.key, c.password)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{
		{"ca.key", key, 0o600},
		{"index.txt", nil, 0o644},
		{"index.txt.attr", []byte(attributes), 0o644},
		{"serial", []byte(formatSerial(serial) + "\n"), 0o644},
		{"ca.pem", encodeCertificate(c.cert), 0o644},
	} {
		if err := writeFile(filepath.Join(c.dir, file.name), file.content, file.mode); err != nil {
			return err
		}
	}
	return nil
}

// Open reads the CA in dir: ca.pem (PEM, the CA's certificate first), ca.key
// (PEM, not encrypted) and index.txt, made by Init or by openssl.
func Open(dir string) (*CA, error) { return OpenWithPassword(dir, nil) }

// OpenWithPassword is Open where ca.key may be encrypted: PKCS #8 with PBES2, as
// by `openssl pkcs8 -topk8`. For a key that is not, password does not matter.
func OpenWithPassword(dir string, password []byte) (*CA, error) {
	text, err := readFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	c := &CA{dir: dir, password: password, now: time.Now}
	if c.cert, err = firstCertificate(text); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "ca.pem"), err)
	}
	if text, err = readFile(filepath.Join(dir, "ca.key")); err != nil {
		return nil, err
	}
	if c.key, err = decodeKey(text, password); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "ca.key"), err)
	}
	if !isKeyOf(c.key, c.cert) {
		return nil, fmt.Errorf("%s: ca.key is not the key of ca.pem", dir)
	}
	_, err = c.readIndex()
	return c, err
}

// Certificate is the CA's own certificate. It must not be changed.
func (c *CA) Certificate() *x509.Certificate { return c.cert }

// Key is the CA's private key.
func (c *CA) Key() crypto.Signer { return c.key }

// Dir is the CA's folder, as it was given to Init or Open.
func (c *CA) Dir() string { return c.dir }

// newSerial gives a random serial number: positive, 16 bytes with the upper bits
// 01, so that it never needs a sign byte and never has leading zeros.
func newSerial() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b), nil
}

// firstTime gives t, or other where t is unset; whole seconds, as certificates
// and answers have them.
func firstTime(t, other time.Time) time.Time {
	if t.IsZero() {
		t = other
	}
	return t.UTC().Truncate(time.Second)
}

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func firstCertificate(text []byte) (*x509.Certificate, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("no certificate found")
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
		text = rest
	}
}
