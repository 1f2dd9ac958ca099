package staple

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxPEM is the size in bytes up to which files with certificates are read.
const MaxPEM = 1 << 20

// Bundle is what a PEM file of HAProxy holds, without its key.
type Bundle struct {
	Leaf   *x509.Certificate   // the first certificate in the file
	Others []*x509.Certificate // the rest in the file's order
	// Skipped says which later certificates could not be read; HAProxy may read them all the same.
	Skipped []error
}

// ParseBundle reads a PEM file as HAProxy does: the first certificate is the leaf, the rest of the chain comes in any
// order, text between blocks, keys and parameters are passed over. Keys are neither parsed nor kept. A block without
// a proper end, a damaged leaf, no certificate at all or more than MaxPEM bytes are errors.
func ParseBundle(data []byte) (Bundle, error) { return ParseBundleKnowing(data, nil) }

// ParseBundleKnowing is ParseBundle for who reads many files with the same few issuers: known is asked, with the DER of
// each later certificate, for what was parsed of these very bytes before; nil if nothing was.
func ParseBundleKnowing(data []byte, known func(der []byte) *x509.Certificate) (Bundle, error) {
	blocks, err := pemBlocks(data, pemCertificate, pemX509, pemTrusted)
	if err != nil {
		return Bundle{}, err
	}
	var b Bundle
	for i, block := range blocks {
		if i > 0 && known != nil {
			if c := known(block.Bytes); c != nil {
				b.Others = append(b.Others, c)
				continue
			}
		}
		c, err := parseBlock(block)
		switch {
		case err == nil && i == 0:
			b.Leaf = c
		case err == nil:
			b.Others = append(b.Others, c)
		case i == 0:
			return Bundle{}, fmt.Errorf("PEM: certificate 1: %w", err)
		default:
			b.Skipped = append(b.Skipped, fmt.Errorf("PEM: certificate %d: %w", i+1, err))
		}
	}
	if b.Leaf == nil {
		return Bundle{}, errors.New("PEM: no certificate")
	}
	return b, nil
}

// Types of PEM blocks that hold an X.509 certificate, as OpenSSL reads them.
const (
	pemCertificate = "CERTIFICATE"
	pemX509        = "X509 CERTIFICATE"
	pemTrusted     = "TRUSTED CERTIFICATE" // a certificate, then OpenSSL's own trust settings
)

func parseBlock(block *pem.Block) (*x509.Certificate, error) {
	der := block.Bytes
	if block.Type == pemTrusted {
		in := cryptobyte.String(der)
		var first cryptobyte.String
		if !in.ReadASN1Element(&first, asn1.SEQUENCE) {
			return nil, errors.New("not DER")
		}
		der = first
	}
	return x509.ParseCertificate(der)
}

// pemBlocks returns the blocks of the wanted types. What is in others, such as a private key, is wiped at once.
// encoding/pem passes over a damaged block without a word and would let the second certificate pass for the leaf;
// here each BEGIN line must open a block that decodes.
func pemBlocks(data []byte, types ...string) ([]*pem.Block, error) {
	if len(data) > MaxPEM {
		return nil, fmt.Errorf("PEM: %d bytes, more than %d", len(data), MaxPEM)
	}
	var out []*pem.Block
	for n := 1; ; n++ {
		start := nextBegin(data)
		if start < 0 {
			return out, nil
		}
		data = data[start:]
		block, rest := pem.Decode(data)
		if block == nil || nextBegin(data[len(pemBegin):len(data)-len(rest)]) >= 0 {
			return nil, fmt.Errorf("PEM: block %d is damaged", n)
		}
		data = rest
		wanted := false
		for _, t := range types {
			wanted = wanted || t == block.Type
		}
		if wanted {
			out = append(out, block)
		} else {
			clear(block.Bytes)
		}
	}
}

const pemBegin = "-----BEGIN "

// nextBegin returns where the next line that opens a block starts, -1 if there is none.
func nextBegin(data []byte) int {
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(pemBegin))
		if i < 0 {
			return -1
		}
		i += from
		if i == 0 || data[i-1] == '\n' {
			return i
		}
		from = i + 1
	}
}
