package haproxy_test

import (
	"crypto/sha1"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// world is a CA with its certificates and what HAProxy is to staple for them.
type world struct {
	t   testing.TB
	ca  *testca.CA
	now time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	return &world{t: t, ca: ca, now: time.Now().Truncate(time.Second)}
}

func (w *world) issue(name string, o testca.IssueOptions) *testca.Issued {
	w.t.Helper()
	return testcatest.Issue(w.t, w.ca, o, name)
}

// good is a response of thisUpdate age ago that lives for life from now.
func (w *world) good(cert *testca.Issued, age, life time.Duration) haproxy.Certificate {
	return w.answer(cert, testca.Answer{ThisUpdate: w.now.Add(-age), NextUpdate: w.now.Add(life)})
}

func (w *world) answer(cert *testca.Issued, a testca.Answer) haproxy.Certificate {
	w.t.Helper()
	a.Serial = cert.Serial
	der := testcatest.Respond(w.t, w.ca, a)
	sum := sha1.Sum(cert.Leaf.Raw)
	return haproxy.Certificate{
		Path:            cert.Path,
		FingerprintSHA1: hex.EncodeToString(sum[:]),
		CertID:          w.certID(cert),
		OCSP:            der,
		ThisUpdate:      a.ThisUpdate,
		NextUpdate:      a.NextUpdate,
		Revoked:         a.Status == ocsp.Revoked,
	}
}

// certID takes the CertID out of a request, where openssl and HAProxy have the same bytes.
func (w *world) certID(cert *testca.Issued) []byte {
	w.t.Helper()
	der, err := ocsp.CreateRequest(cert.Leaf, w.ca.Certificate(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for range 5 { // OCSPRequest, tbsRequest, requestList, Request, CertID
		var v asn1.RawValue
		if _, err := asn1.Unmarshal(der, &v); err != nil {
			w.t.Fatal(err)
		}
		der = v.Bytes
		if len(der) > 1 && der[0] == 0x30 && der[1] == 0x09 { // the hash algorithm
			return v.FullBytes
		}
	}
	w.t.Fatal("no CertID in the request")
	return nil
}

func (w *world) issuerPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.Certificate().Raw})
}

// client speaks with p through socket; change adjusts its configuration.
func client(t testing.TB, socket string, change ...func(*haproxy.Config)) *haproxy.Client {
	t.Helper()
	c := haproxy.Config{Socket: socket, LockDir: filepath.Join(t.TempDir(), "lock"), Timeout: 5 * time.Second}
	for _, f := range change {
		f(&c)
	}
	return haproxy.New(c)
}

func install(t testing.TB, c *haproxy.Client, cert haproxy.Certificate, want haproxy.How) haproxy.Outcome {
	t.Helper()
	out, err := c.Install(t.Context(), haproxy.MethodPush, cert)
	if err != nil {
		t.Fatal(err)
	}
	if out.How != want {
		t.Fatalf("installed by %q, want %q", out.How, want)
	}
	return out
}

func wantKind(t testing.TB, err error, want haproxy.Kind) {
	t.Helper()
	if got := haproxy.KindOf(err); got != want {
		t.Fatalf("kind %q, want %q: %v", got, want, err)
	}
	t.Log(err)
}

func command(t testing.TB, p *haproxytest.Process, format string, args ...any) string {
	t.Helper()
	answer, err := p.Command(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// escaped writes a name as one word of a command.
func escaped(name string) string {
	return strings.NewReplacer(" ", `\ `, ";", `\;`).Replace(name)
}

// hasKey says whether "show ssl cert" shows that a response belongs to the name.
func hasKey(detail string) bool {
	_, key, _ := strings.Cut(detail, "OCSP Response Key:")
	return strings.HasPrefix(strings.TrimSpace(key), "30")
}

// encoded is a response as a command takes it.
func encoded(c haproxy.Certificate) string { return base64.StdEncoding.EncodeToString(c.OCSP) }
