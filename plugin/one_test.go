package plugin

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// www is a certificate for www.example.test, with the CA that issued it.
func www(t *testing.T) (*testca.CA, *testca.Issued) {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	return ca, testcatest.Issue(t, ca, testca.IssueOptions{}, "www.example.test")
}

// The one rule for which of two responses stays holds for a file that is named
// on the command line, too.
func TestWriteOneKeepsWhatStands(t *testing.T) {
	ca, issued := www(t)
	now := time.Now().Truncate(time.Second)
	response := func(status int, age time.Duration) *staple.Facts {
		der := testcatest.Respond(t, ca, testca.Answer{Status: status, Serial: issued.Serial, ThisUpdate: now.Add(-age), NextUpdate: now.Add(time.Hour)})
		facts, err := staple.Verify(der, issued.Leaf, ca.Certificate(), staple.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return facts
	}
	path := filepath.Join(t.TempDir(), "www.ocsp")
	for _, c := range []struct {
		name     string
		held     []byte
		new      *staple.Facts
		replaced bool
	}{
		{"garbage", []byte("garbage"), response(ocsp.Good, 0), true},
		{"older", response(ocsp.Good, time.Minute).DER, response(ocsp.Good, 0), true},
		{"newer", response(ocsp.Good, 0).DER, response(ocsp.Good, time.Minute), false},
		{"revoked at the same time", response(ocsp.Revoked, 0).DER, response(ocsp.Good, 0), false},
		{"good at the same time", response(ocsp.Good, 0).DER, response(ocsp.Revoked, 0), true},
	} {
		if err := os.WriteFile(path, c.held, 0o644); err != nil {
			t.Fatal(err)
		}
		err := writeOne(path, c.new, issued.Leaf, ca.Certificate())
		got, readErr := os.ReadFile(path)
		if readErr != nil || (err == nil) != c.replaced || bytes.Equal(got, c.new.DER) != c.replaced {
			t.Errorf("over %s: %v; want it replaced: %v", c.name, err, c.replaced)
		}
	}
	folder := t.TempDir() // can't be read as a file
	if err := writeOne(folder, response(ocsp.Good, 0), issued.Leaf, ca.Certificate()); err == nil {
		t.Error("what can't be read was replaced")
	}
}

// The command asks past caches, and by the other method, as the agent does.
func TestFetchCertificateAsksPastCaches(t *testing.T) {
	ca, issued := www(t)
	now := time.Now().Truncate(time.Second)
	respond := func(age, left time.Duration) []byte {
		return testcatest.Respond(t, ca, testca.Answer{Serial: issued.Serial, ThisUpdate: now.Add(-age), NextUpdate: now.Add(left)})
	}
	fresh, ended, older := respond(0, time.Hour), respond(2*time.Hour, -time.Hour), respond(time.Hour, time.Hour/2)
	held := respond(40*time.Minute, 20*time.Minute)
	for _, c := range []struct {
		name         string
		cached, held []byte
		by, asked    string
	}{
		{"fresh", fresh, nil, "GET", "GET"},
		{"ended, past the cache", ended, nil, "GET no-cache", "GET, GET no-cache"},
		{"ended, by POST", ended, nil, "POST", "GET, GET no-cache, POST"},
		{"older than the file's", older, held, "POST", "GET, GET no-cache, POST"},
		{"the file's again", held, held, "GET no-cache", "GET, GET no-cache"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				how := strings.TrimSpace(q.Method + " " + q.Header.Get("Cache-Control"))
				asked = append(asked, how)
				if how == c.by {
					w.Write(fresh)
					return
				}
				w.Write(c.cached)
			}))
			t.Cleanup(server.Close)
			one := FetchOne{Certificate: issued.Path, URL: server.URL, Out: filepath.Join(t.TempDir(), "www.ocsp")}
			if c.held != nil {
				if err := os.WriteFile(one.Out, c.held, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			facts, err := FetchCertificate(t.Context(), one, "test")
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(one.Out)
			if err != nil || !bytes.Equal(got, fresh) || !bytes.Equal(facts.DER, fresh) || strings.Join(asked, ", ") != c.asked {
				t.Errorf("asked by %s, want %s; fresh one written: %v (%v)", strings.Join(asked, ", "), c.asked, bytes.Equal(got, fresh), err)
			}
		})
	}
}
