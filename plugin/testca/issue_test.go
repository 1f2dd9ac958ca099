package testca

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// handshake connects a client that trusts ca.pem to a server that has the
// certificate's PEM file, and gives what the client saw.
func handshake(t *testing.T, c *CA, i *Issued, staple []byte) tls.ConnectionState {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(i.Path, i.Path)
	if err != nil {
		t.Fatal(err)
	}
	pair.OCSPStaple = staple
	text, err := os.ReadFile(filepath.Join(c.Dir(), "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	inner, outer := net.Pipe()
	server := tls.Server(inner, &tls.Config{Certificates: []tls.Certificate{pair}})
	client := tls.Client(outer, &tls.Config{RootCAs: roots, ServerName: i.Name})
	done := make(chan error, 1)
	// Ends when the client closes the pipe.
	go func() {
		_, err := io.Copy(io.Discard, server)
		done <- err
	}()
	if err := client.Handshake(); err != nil {
		t.Fatalf("handshake for %s: %v", i.Name, err)
	}
	client.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return client.ConnectionState()
}

func TestIssuedCertificatesWorkInTLS(t *testing.T) {
	t.Parallel()
	for _, key := range []KeyType{ECDSA, ECDSA384, ECDSA521, RSA, Ed25519} {
		t.Run(string(key), func(t *testing.T) {
			t.Parallel()
			c := newCA(t, InitOptions{Key: key})
			for n, name := range []string{"www.example.com", "127.0.0.1", "::1"} {
				i := issue(t, c, IssueOptions{Key: key, MustStaple: true}, name)
				staple, err := c.Respond(Answer{Serial: i.Serial, NextUpdate: time.Now().Add(time.Hour)})
				if err != nil {
					t.Fatal(err)
				}
				state := handshake(t, c, i, staple)
				if string(state.OCSPResponse) != string(staple) {
					t.Errorf("certificate %d: staple of %d bytes, want %d", n, len(state.OCSPResponse), len(staple))
				}
				if len(state.PeerCertificates) != 2 {
					t.Errorf("certificate %d: %d certificates in the chain, want leaf and issuer", n, len(state.PeerCertificates))
				}
			}
		})
	}
}

func TestPEMFile(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	i := issue(t, c, IssueOptions{}, "*.example.com", "example.com")
	if want := filepath.Join(c.Dir(), "_.example.com.pem"); i.Path != want {
		t.Errorf("path %s, want %s", i.Path, want)
	}
	info, err := os.Stat(i.Path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if i.Leaf.VerifyHostname("a.example.com") != nil || i.Leaf.VerifyHostname("example.com") != nil {
		t.Errorf("names %v", i.Leaf.DNSNames)
	}
	file := filepath.Join(t.TempDir(), "elsewhere.pem")
	alone := issue(t, c, IssueOptions{OmitIssuer: true, File: file}, "ca")
	if pair, err := tls.LoadX509KeyPair(file, file); err != nil || len(pair.Certificate) != 1 || alone.Path != file {
		t.Errorf("%d certificates in %s, want the leaf only: %v", len(pair.Certificate), file, err)
	}
}

func TestRenewalReplacesTheFile(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	old := issue(t, c, IssueOptions{}, "www.example.com")
	renewed := issue(t, c, IssueOptions{}, "www.example.com")
	if old.Path != renewed.Path || old.Serial.Cmp(renewed.Serial) == 0 {
		t.Fatalf("paths %s, %s; serials %v, %v", old.Path, renewed.Path, old.Serial, renewed.Serial)
	}
	text, err := os.ReadFile(renewed.Path)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err := firstCertificate(text); err != nil || !leaf.Equal(renewed.Leaf) {
		t.Errorf("the file does not hold the renewed certificate: %v", err)
	}
	if err := c.RevokeSerial(old.Serial, "superseded"); err != nil {
		t.Fatal(err)
	}
	x, err := c.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	if o, r := x.find(old.Serial), x.find(renewed.Serial); o.status != 'R' || o.reason != ocsp.Superseded || r.status != 'V' {
		t.Errorf("old %c (reason %d), renewed %c; want R (4), V", o.status, o.reason, r.status)
	}
	issue(t, c, IssueOptions{}, "www.example.com")
	if err := c.Revoke("www.example.com"); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.Revoke("www.example.com"), `"www.example.com"`, "already revoked")
	wantError(t, c.RevokeSerial(old.Serial, ""), "already revoked")
	wantError(t, c.Revoke("other.example.com"), `"other.example.com"`, "not issued by")
	wantError(t, c.RevokeWithReason("www.example.com", "boredom"), `"boredom"`)
}

func TestNamesAreChecked(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	for _, name := range []string{
		"", ".", "..", "../x", "a/b", "/etc/x", ".hidden", "a..b", "a.", "*", "*.", "a.*.b", "*a.b", "_.example.com",
		"a b", "a\nb", "a\x00b", "ä.example", "ca", "CA", "-" + string(make([]byte, 3)),
		"a123456789a123456789a123456789a123456789a123456789a123456789abcd.example",
	} {
		if i, err := c.Issue([]string{name}, IssueOptions{}); err == nil {
			t.Errorf("name %q was accepted: %s", name, i.Path)
		}
		if _, err := c.Issue([]string{"good.example", name}, IssueOptions{}); err == nil && !isCA(name) {
			t.Errorf("second name %q was accepted", name)
		}
	}
	_, err := c.Issue(nil, IssueOptions{})
	wantError(t, err, "needs a name")
	_, err = c.Issue([]string{"a.example"}, IssueOptions{Key: "dsa"})
	wantError(t, err, `"dsa"`)
	files, err := filepath.Glob(filepath.Join(c.Dir(), "*.pem"))
	if err != nil || len(files) > 2 {
		t.Errorf("files %v: %v", files, err)
	}
}

func isCA(name string) bool { return name == "ca" || name == "CA" }

func TestIssueMany(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	var names []string
	for n := range 300 {
		names = append(names, "n"+strconv.Itoa(n)+".example")
	}
	all, err := c.IssueMany(names, IssueOptions{Responders: []string{"http://127.0.0.1:1/"}})
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	for n, i := range all {
		if e := x.find(i.Serial); i.Name != names[n] || e == nil || e.commonName() != i.Name {
			t.Fatalf("certificate %d: %q, index %+v", n, i.Name, e)
		}
	}
	_, err = c.IssueMany(names, IssueOptions{File: "x.pem"})
	wantError(t, err, "one file")
}

// One that can't be issued keeps no other from it, also where many change the
// index together.
func TestIssueEach(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	each := [][]string{{"not a name"}}
	for n := range issueAtOnce + 10 {
		each = append(each, []string{"n" + strconv.Itoa(n) + ".example", "alias" + strconv.Itoa(n) + ".example"})
	}
	told := 0
	c.IssueEach(each, IssueOptions{}, func(i *Issued, err error) {
		switch {
		case told == 0 && (i != nil || err == nil):
			t.Errorf("the first: %v, %v", i, err)
		case told > 0 && (err != nil || i.Name != each[told][0] || len(i.Leaf.DNSNames) != 2):
			t.Fatalf("%d: %+v, %v", told, i, err)
		}
		told++
	})
	x, err := c.readIndex()
	if err != nil || len(x.bySerial) != len(each)-1 || told != len(each) {
		t.Errorf("%d told, %d in the index: %v", told, len(x.bySerial), err)
	}
}

func BenchmarkIssueMany(b *testing.B) {
	c := newCA(b, InitOptions{})
	names := make([]string, 100)
	for n := range names {
		names[n] = "n" + strconv.Itoa(n) + ".example"
	}
	for b.Loop() {
		if _, err := c.IssueMany(names, IssueOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
