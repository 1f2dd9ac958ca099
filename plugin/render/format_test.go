package render

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

const someID = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// someFacts are of a response that starts and ends with white space: what a
// careless reader would trim.
func someFacts() *staple.Facts {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	return &staple.Facts{
		DER: []byte("\n response\xfb\xff \n"), Status: staple.Good, SerialNumber: big.NewInt(0xa1b),
		ThisUpdate: noon, NextUpdate: noon.Add(24 * time.Hour), Until: noon.Add(12 * time.Hour),
	}
}

func TestWrite(t *testing.T) {
	for format, want := range map[Format]string{
		Base64:  "CiByZXNwb25zZfv/IAo=\n",
		DER:     "\n response\xfb\xff \n",
		PEM:     "-----BEGIN OCSP RESPONSE-----\nCiByZXNwb25zZfv/IAo=\n-----END OCSP RESPONSE-----\n",
		HAProxy: "set ssl ocsp-response <<\nCiByZXNwb25zZfv/IAo=\n\n",
		JSON: `{
  "id": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
  "serial": "0a1b",
  "status": "good",
  "this_update": "2026-11-21T12:00:00Z",
  "next_update": "2026-11-22T12:00:00Z",
  "until": "2026-11-22T00:00:00Z",
  "sha256": "ca563a1f7a51034d3c8e11560932fcbaf124fbdbff42254062333814f5a2f1a5",
  "der": "CiByZXNwb25zZfv/IAo="
}
`,
	} {
		var out bytes.Buffer
		if err := Write(&out, someFacts(), someID, format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if d := cmp.Diff(want, out.String()); d != "" {
			t.Errorf("%s: %s", format, d)
		}
	}
}

func TestEveryFormatKeepsTheBytes(t *testing.T) {
	p := newPKI(t)
	der := p.answer(t, 0, revoked)
	f, err := p.newest(t.Context(), holds(der))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats() {
		var out bytes.Buffer
		if err := Write(&out, f, staple.ID(p.www.Leaf), format); err != nil {
			t.Fatal(err)
		}
		if got := decoded(t, format, out.Bytes()); !bytes.Equal(got, der) {
			t.Errorf("%s: other bytes", format)
		}
	}
}

func decoded(t *testing.T, format Format, b []byte) []byte {
	t.Helper()
	text := strings.TrimSpace(string(b))
	switch format {
	case DER:
		return b
	case PEM:
		block, _ := pem.Decode(b)
		return block.Bytes
	case JSON:
		var d Document
		if err := json.Unmarshal(b, &d); err != nil || d.Status != "revoked" || d.RevokedAt.IsZero() {
			t.Errorf("%v: %+v", err, d)
		}
		return d.DER
	case HAProxy:
		text = strings.TrimPrefix(text, "set ssl ocsp-response <<\n")
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestHAProxyCommandIsOnlyForWhatItTakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*staple.Facts)
		want   staple.Reason
	}{
		{"unstaplable", func(f *staple.Facts) { f.Unstaplable = []staple.Reason{staple.MultipleResponses} }, staple.MultipleResponses},
		{"too large", func(f *staple.Facts) { f.DER = make([]byte, staple.MaxHAProxyPush+1) }, staple.TooLarge},
	} {
		f := someFacts()
		c.change(f)
		var out bytes.Buffer
		if err := Write(&out, f, someID, HAProxy); staple.ReasonOf(err) != c.want || out.Len() != 0 {
			t.Errorf("%s: %v, %d bytes", c.name, err, out.Len())
		}
		if err := Write(&out, f, someID, Base64); err != nil {
			t.Errorf("%s: base64: %v", c.name, err)
		}
	}
	late := someFacts()
	now := late.NextUpdate.Add(-9 * time.Minute)
	if err := HAProxy.Check(late, now); staple.ReasonOf(err) != staple.ShortLived {
		t.Error(err)
	}
	if err := HAProxy.Check(late, late.ThisUpdate); err != nil {
		t.Error(err)
	}
	if err := Base64.Check(late, now); err != nil {
		t.Error(err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range Formats() {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
	for _, bad := range []string{"", "Base64", "text", "der "} {
		if _, err := ParseFormat(bad); err == nil || !strings.HasSuffix(err.Error(), "not one of base64, der, pem, json, haproxy") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := Write(io.Discard, someFacts(), someID, "text"); err == nil {
		t.Error("an unknown format was printed")
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteReportsItsWriter(t *testing.T) {
	if err := Write(closed{}, someFacts(), someID, Base64); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
