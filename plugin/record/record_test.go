package record

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const idA = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestSupersedes(t *testing.T) {
	for _, c := range []struct {
		name      string
		status    string
		this      time.Time
		oldStatus string
		oldThis   time.Time
		want      bool
	}{
		{"the first", "good", noon, "", time.Time{}, true},
		{"later", "good", noon.Add(time.Second), "good", noon, true},
		{"later good after revoked", "good", noon.Add(time.Second), "revoked", noon, true},
		{"older", "good", noon.Add(-time.Second), "good", noon, false},
		{"older revoked", "revoked", noon.Add(-time.Second), "good", noon, false},
		{"equal", "good", noon, "good", noon, false},
		{"equal, revoked wins", "revoked", noon, "good", noon, true},
		{"equal, revoked stays", "good", noon, "revoked", noon, false},
		{"equal, both revoked", "revoked", noon, "revoked", noon, false},
		{"unknown over nothing", "unknown", noon, "", time.Time{}, false},
		{"later unknown", "unknown", noon.Add(time.Hour), "good", noon, false},
	} {
		if got := Supersedes(c.status, c.this, c.oldStatus, c.oldThis); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestStapleRoundTrip(t *testing.T) {
	der := []byte("a response")
	want := Staple{ID: idA, DER: der, Meta: Meta{
		Format: Format, SHA256: Checksum(der), Serial: "0a", Issuer: "CN=x", Status: "good",
		ThisUpdate: noon, NextUpdate: noon.Add(time.Hour), Names: []string{"www"}, Responder: "http://r",
	}}
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeStaple(idA, b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := DecodeStaple("../../etc/passwd", b); err == nil {
		t.Error("an id that is a path was taken")
	}
	want.DER = []byte("another")
	if _, err := want.Encode(); err == nil {
		t.Error("a meta of another response was written")
	}
}

func TestMetaIgnoresUnknownFields(t *testing.T) {
	b := `{"format":9,"sha256":"` + idA + `","status":"good","this_update":"2026-11-21T12:00:00Z","verified":true}`
	if _, err := DecodeMeta([]byte(b)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "null", "{}", `{"sha256":"x"}`, strings.Replace(b, "good", "unknown", 1), strings.Repeat(" ", maxJSON) + b} {
		if m, err := DecodeMeta([]byte(bad)); err == nil {
			t.Errorf("%.60q was taken: %+v", bad, m)
		}
	}
}

func TestHead(t *testing.T) {
	want := Head{Generation: 7, Nonce: "aa", Before: NoNonce, IDs: []string{idA}}
	got, err := ParseHead(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{
		"", "1", "1 a", "0 a b", "-1 a b", "9223372036854775807 a b", "9007199254740993 a b", "1 - -",
		"1 a b\nnot an id", "1 a b c", "1  b", "1 a/ b", "1 a b\n\n" + idA, "1 a b\n" + idA + " ",
	} {
		if h, err := ParseHead([]byte(bad)); err == nil {
			t.Errorf("%q was taken: %+v", bad, h)
		}
	}
	if Slot(63) != "3f" || Slot(64) != "00" {
		t.Error("slots are not generation mod 64 in hex")
	}
}

func TestWanted(t *testing.T) {
	other := "01" + strings.Repeat("f", 62)
	text := idA + " 2026112109\n" + other + " 2026112110\ngarbage\n" + idA + " 2026112111\nff" + idA[2:] + " 2026112109\n"
	w, bad, err := ParseWanted("01", []byte(text))
	if err != nil || bad != 2 {
		t.Fatalf("%d bad lines, %v; want 2", bad, err)
	}
	if got, want := string(w.Encode()), idA+" 2026112111\n"+other+" 2026112110\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCertificateNeedsItsID(t *testing.T) {
	c := Certificate{Leaf: []byte("leaf"), Issuer: []byte("issuer"), Job: "edge"}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeCertificate(c.ID(), b); err != nil {
		t.Error(err)
	}
	if _, err := DecodeCertificate(idA, b); err == nil {
		t.Error("a leaf under another's id was taken")
	}
}

func TestTroubleIsCut(t *testing.T) {
	b, err := Trouble{Reason: "http-status", Error: strings.Repeat("x", 1<<20), Since: noon}.Encode()
	if err != nil || len(b) > 2*maxError {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`1 a -` + "\n" + idA))
	f.Add([]byte(`{"format":1,"sha256":"` + idA + `","status":"good","this_update":"2026-11-21T12:00:00Z"}`))
	f.Add([]byte(idA + " 2026112109\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHead(b); err == nil {
			again, err := ParseHead(h.Encode())
			if err != nil || !cmp.Equal(h, again) {
				t.Errorf("head %q does not survive: %v", b, err)
			}
		}
		if w, _, err := ParseWanted("01", b); err == nil {
			if again, bad, err := ParseWanted("01", w.Encode()); err != nil || bad != 0 || !cmp.Equal(w, again) {
				t.Errorf("bucket %q does not survive: %v", b, err)
			}
		}
		_, _ = DecodeMeta(b)
		_, _ = DecodeStaple(idA, b)
		_, _ = DecodeCertificate(idA, b)
		_, _ = DecodeNode("n", b)
		_, _ = DecodeTrouble(b)
		_, _ = DecodeLeader(b)
		_, _ = DecodeTold(b)
	})
}
