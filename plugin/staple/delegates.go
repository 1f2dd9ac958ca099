package staple

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"sync"
)

// maxDelegates bounds delegates: a CA has a few, and a busy leader asks a few CAs.
const maxDelegates = 64

// delegates remembers, for certificates of delegates, by which key they are signed: a responder sends the same one
// with each answer. Only a signature that was verified comes in, so that nobody but an issuer can fill it; nothing
// else about a delegate is remembered, and above all not its dates.
var delegates = delegateMemo{known: map[[sha256.Size]byte]signedDelegate{}}

type delegateMemo struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]signedDelegate // by the SHA-256 of the certificate
}

type signedDelegate struct {
	cert *x509.Certificate
	key  [sha256.Size]byte // of the issuer: SHA-256 of its SubjectPublicKeyInfo
	hash crypto.Hash       // with which the issuer signed
}

// parse is parseEmbedded, without the work for a certificate that is known.
func (d *delegateMemo) parse(der []byte) (*x509.Certificate, error) {
	d.mu.Lock()
	known, ok := d.known[sha256.Sum256(der)]
	d.mu.Unlock()
	if ok {
		return known.cert, nil
	}
	return parseEmbedded(der)
}

// signedBy is the function of that name, without the work for a certificate and a key that were verified before.
func (d *delegateMemo) signedBy(c, issuer *x509.Certificate) (crypto.Hash, error) {
	id, key := sha256.Sum256(c.Raw), sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	d.mu.Lock()
	known, ok := d.known[id]
	d.mu.Unlock()
	if ok && known.key == key {
		return known.hash, nil
	}
	hash, err := signedBy(c, issuer)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.known[id]; !ok && len(d.known) >= maxDelegates {
		for oldest := range d.known { // any one: a map has no order
			delete(d.known, oldest)
			break
		}
	}
	d.known[id] = signedDelegate{cert: c, key: key, hash: hash}
	return hash, nil
}
