package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// The one rule for which of two responses stays holds for a file that is named
// on the command line, too.
func TestWriteOneKeepsWhatStands(t *testing.T) {
	r := rehearse(t)
	now := time.Now().Truncate(time.Second)
	response := func(status int, age time.Duration) *staple.Facts {
		der, err := r.ca.Respond(testca.Answer{Status: status, Serial: r.issued.Serial, ThisUpdate: now.Add(-age), NextUpdate: now.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		facts, err := staple.Verify(der, r.issued.Leaf, r.ca.Certificate(), staple.Options{Now: now})
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
		err := writeOne(path, c.new, r.issued.Leaf, r.ca.Certificate())
		got, readErr := os.ReadFile(path)
		if readErr != nil || (err == nil) != c.replaced || bytes.Equal(got, c.new.DER) != c.replaced {
			t.Errorf("over %s: %v; want it replaced: %v", c.name, err, c.replaced)
		}
	}
	folder := t.TempDir() // can't be read as a file
	if err := writeOne(folder, response(ocsp.Good, 0), r.issued.Leaf, r.ca.Certificate()); err == nil {
		t.Error("what can't be read was replaced")
	}
}
