package staple

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParseBundle(t *testing.T) {
	s := newScene(t, "ecdsa")
	root := certify(t, nil, newKey(t, "ecdsa"), "Root", asCA)
	keyDER, err := x509.MarshalPKCS8PrivateKey(s.leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, issuer, top := pemBlock("CERTIFICATE", s.leaf.cert.Raw), pemBlock("CERTIFICATE", s.issuer.cert.Raw), pemBlock("CERTIFICATE", root.cert.Raw)
	key, params := pemBlock("PRIVATE KEY", keyDER), pemBlock("DH PARAMETERS", sequence(integer(5)))
	aux := pemBlock("TRUSTED CERTIFICATE", append(bytes.Clone(s.leaf.cert.Raw), sequence()...))
	crlf := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }
	odd := pemBlock("CERTIFICATE", sequence(integer(1)))
	for _, c := range []struct {
		name    string
		pem     []byte
		others  int
		skipped int
	}{
		{"leaf alone", leaf, 0, 0},
		{"leaf, issuer, key", slices.Concat(leaf, issuer, key), 1, 0},
		{"key first", slices.Concat(key, leaf, issuer), 1, 0},
		{"chain in another order, parameters", slices.Concat(params, leaf, top, key, issuer), 2, 0},
		{"text between the blocks", slices.Concat([]byte("Bag Attributes\n  -----BEGIN of nothing\n"), leaf, []byte("subject=x\n"), issuer), 1, 0},
		{"CRLF", crlf(slices.Concat(leaf, issuer)), 1, 0},
		{"no line end at the end", bytes.TrimRight(slices.Concat(leaf, issuer), "\n"), 1, 0},
		{"OpenSSL's trusted form", slices.Concat(aux, issuer), 1, 0},
		{"old label", slices.Concat(pemBlock("X509 CERTIFICATE", s.leaf.cert.Raw), issuer), 1, 0},
		{"another certificate that cannot be read", slices.Concat(leaf, odd, issuer), 1, 1},
	} {
		b, err := ParseBundle(c.pem)
		if err != nil || !b.Leaf.Equal(s.leaf.cert) || len(b.Others) != c.others || len(b.Skipped) != c.skipped {
			t.Errorf("%s: %d others, skipped %v, %v", c.name, len(b.Others), b.Skipped, err)
		}
	}
}

func TestParseBundleRefuses(t *testing.T) {
	s := newScene(t, "ecdsa")
	leaf, issuer := pemBlock("CERTIFICATE", s.leaf.cert.Raw), pemBlock("CERTIFICATE", s.issuer.cert.Raw)
	damaged := bytes.Replace(leaf, []byte("MII"), []byte("M!I"), 1)
	if bytes.Equal(damaged, leaf) {
		t.Fatal("nothing damaged")
	}
	cut := leaf[:len(leaf)/2]
	for _, c := range []struct {
		name, want string
		pem        []byte
	}{
		{"empty", "no certificate", nil},
		{"a key alone", "no certificate", pemBlock("PRIVATE KEY", []byte{1})},
		{"DER", "no certificate", s.leaf.cert.Raw},
		{"leaf damaged, the issuer must not pass for it", "block 1 is damaged", slices.Concat(damaged, issuer)},
		{"leaf cut", "block 1 is damaged", slices.Concat(cut, []byte("\n"), issuer)},
		{"chain cut", "block 2 is damaged", slices.Concat(leaf, issuer[:100])},
		{"leaf that is no certificate", "certificate 1", slices.Concat(pemBlock("CERTIFICATE", sequence(integer(1))), leaf)},
		{"too large", "more than 1048576", bytes.Repeat([]byte(" "), MaxPEM+1)},
	} {
		if _, err := ParseBundle(c.pem); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
