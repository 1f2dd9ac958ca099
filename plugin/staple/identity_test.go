package staple

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"reflect"
	"strings"
	"testing"
)

func TestValidID(t *testing.T) {
	s := newScene(t, "ecdsa")
	if id := ID(s.leaf.cert); !ValidID(id) {
		t.Errorf("%q is not valid", id)
	}
	digits := strings.Repeat("0a", 32)
	for _, bad := range []string{"", digits[1:], digits + "0", strings.ToUpper(digits), digits[2:] + "0g", "../" + digits[3:], digits[1:] + "\n"} {
		if ValidID(bad) {
			t.Errorf("%q is valid", bad)
		}
	}
}

func TestNames(t *testing.T) {
	issuer := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA)
	leaf := func(change func(*x509.Certificate)) *x509.Certificate {
		return certify(t, issuer, issuer.key, "common", change).cert
	}
	for _, c := range []struct {
		leaf *x509.Certificate
		want []string
	}{
		{leaf(nil), []string{"common"}},
		{leaf(func(c *x509.Certificate) { c.DNSNames = []string{"b.example", "a.example"} }), []string{"b.example", "a.example"}},
		{leaf(func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")}
			c.DNSNames = []string{"*.example"}
		}), []string{"*.example", "192.0.2.1", "2001:db8::1"}},
		{leaf(func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"none"}} }), nil},
	} {
		if got := Names(c.leaf); !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestMustStaple(t *testing.T) {
	issuer := certify(t, nil, newKey(t, "ecdsa"), "Test CA", asCA)
	feature := func(value []byte, critical bool) *x509.Certificate {
		return certify(t, issuer, issuer.key, "leaf", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 1, 24}, Critical: critical, Value: value}}
		}).cert
	}
	for _, c := range []struct {
		name string
		leaf *x509.Certificate
		want bool
	}{
		{"without", certify(t, issuer, issuer.key, "leaf", nil).cert, false},
		{"status_request", feature(sequence(integer(5)), false), true},
		{"status_request, critical", feature(sequence(integer(5)), true), true},
		{"both versions", feature(sequence(integer(17), integer(5)), false), true},
		{"status_request_v2 only", feature(sequence(integer(17)), false), false},
		{"a number too large", feature(sequence([]byte{2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 5}), false), false},
		{"not a list", feature(integer(5), false), false},
		{"something left over", feature(append(sequence(integer(5)), 0), false), false},
	} {
		if got := MustStaple(c.leaf); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSerialHex(t *testing.T) {
	for n, want := range map[int64]string{0: "00", 10: "0a", 255: "ff", 256: "0100", -10: "-0a"} {
		if got := serialHex(big.NewInt(n)); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
