package issuer

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// behindURL is a certificate whose file lacks its issuer, and the server that gives what its URLs name: body, then the
// issuer itself.
type behindURL struct {
	leaf, issuer, impostor *x509.Certificate // the impostor has the issuer's name and another key
	server                 *httptest.Server
	asked                  atomic.Int32
	body                   atomic.Pointer[[]byte]
}

func newBehindURL(t *testing.T) *behindURL {
	t.Helper()
	b := &behindURL{}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		if r.URL.Path == "/first" {
			_, _ = w.Write(*b.body.Load())
			return
		}
		_, _ = w.Write(b.issuer.Raw)
	}))
	t.Cleanup(b.server.Close)
	ca := testcatest.Init(t, testca.InitOptions{})
	other := testcatest.Init(t, testca.InitOptions{})
	urls := []string{b.server.URL + "/first", b.server.URL + "/second"}
	issued := testcatest.Issue(t, ca, testca.IssueOptions{OmitIssuer: true, IssuerURLs: urls}, "www.example.com")
	b.leaf, b.issuer, b.impostor = issued.Leaf, ca.Certificate(), other.Certificate()
	if !bytes.Equal(b.issuer.RawSubject, b.impostor.RawSubject) {
		t.Fatal("the two CAs have different names")
	}
	b.give(b.issuer.Raw)
	return b
}

func (b *behindURL) give(body []byte) { b.body.Store(&body) }

// find looks as an agent does that was started just now.
func (b *behindURL) find(t *testing.T, data string) (*x509.Certificate, error) {
	t.Helper()
	client := responder.New(responder.Config{})
	defer client.Close()
	f := Finder{Client: client}
	if data != "" {
		s, err := store.Open(data)
		if err != nil {
			t.Fatal(err)
		}
		f.Store = s
	}
	b.asked.Store(0)
	return f.Find(t.Context(), b.leaf, responder.IssuerRequest{})
}

// want finds the issuer, after so many downloads.
func (b *behindURL) want(t *testing.T, data string, downloads int32) {
	t.Helper()
	found, err := b.find(t, data)
	if err != nil || !found.Equal(b.issuer) || b.asked.Load() != downloads {
		t.Errorf("found %v, %v, after %d downloads; want the issuer after %d", found, err, b.asked.Load(), downloads)
	}
}

// p7c has openssl bundle certificates, as CAs publish them.
func p7c(t *testing.T, form string, certs ...*x509.Certificate) []byte {
	t.Helper()
	cmd := exec.Command("openssl", "crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", form)
	var in bytes.Buffer
	for _, c := range certs {
		if err := pem.Encode(&in, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl crl2pkcs7: %v", err)
	}
	return out
}

// The issuer is whose key signed the certificate, whatever else has its name, and in whatever form it comes.
func TestDownloadedIssuerIsKnownByItsSignature(t *testing.T) {
	t.Parallel()
	b := newBehindURL(t)
	for name, c := range map[string]struct {
		body      []byte
		downloads int32
	}{
		"the issuer":                      {b.issuer.Raw, 1},
		"a .p7c":                          {p7c(t, "DER", b.issuer), 1},
		"a .p7c with the impostor first":  {p7c(t, "DER", b.impostor, b.leaf, b.issuer), 1},
		"a .p7c in PEM":                   {p7c(t, "PEM", b.impostor, b.issuer), 1},
		"the impostor":                    {b.impostor.Raw, 2},
		"a .p7c of the impostor":          {p7c(t, "DER", b.impostor), 2},
		"a .p7c that is cut off":          {p7c(t, "DER", b.issuer)[:200], 2},
		"a .p7c and something":            {append(p7c(t, "DER", b.issuer), 0), 2},
		"the certificate itself":          {b.leaf.Raw, 2},
		"an error page that says it's OK": {[]byte("<html>"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			b.give(c.body)
			b.want(t, "", c.downloads)
		})
	}
}

// What data_dir holds is believed no more than what was downloaded.
func TestKeptIssuer(t *testing.T) {
	t.Parallel()
	b := newBehindURL(t)
	data := t.TempDir()
	b.want(t, data, 1)
	b.want(t, data, 0)
	path := filepath.Join(data, "issuer", staple.ID(b.leaf)+".der")
	hostile := map[string][]byte{
		"garbage": []byte("garbage"), "nothing": {}, "the impostor": b.impostor.Raw, "the certificate": b.leaf.Raw,
		"a byte more": append(bytes.Clone(b.issuer.Raw), 0), "half of it": b.issuer.Raw[:len(b.issuer.Raw)/2],
	}
	for name, content := range hostile {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			b.want(t, data, 1)
			if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, b.issuer.Raw) {
				t.Errorf("it still stands there: %v", err)
			}
		})
	}
	b.server.Close()
	b.want(t, data, 0)
	for name, content := range hostile {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := b.find(t, data); found != nil || err == nil || !strings.Contains(err.Error(), "could not be downloaded") {
			t.Errorf("%s, and no network: %v, %v", name, found, err)
		}
	}
}

// A disk that takes nothing costs a download more, not the issuer.
func TestIssuerThatCannotBeKept(t *testing.T) {
	t.Parallel()
	b := newBehindURL(t)
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "issuer", staple.ID(b.leaf)+".der"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.want(t, data, 1)
	b.want(t, data, 1)
}
