package haproxy

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	keyA = "304d300906052b0e03021a05000414711d397671c9facf2242095925979a0698e46b110414c4bee6600a479e3f63cdf7adac4f2cfc633fadb902143a1ddef81ea424705351ace487a60f69a4354bd4"
	sha1 = "b6d69c3667bf4b2ffe51917eac65c654a0f20fd2"
)

// answerOf reads what a real HAProxy said; testdata/answers has a folder a version.
func answerOf(t *testing.T, version, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "answers", version, name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRealAnswers(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, v := range []struct {
		version      string
		minor, major int
	}{{"2.6", 6, 2}, {"3.0", 0, 3}, {"3.2", 2, 3}} {
		t.Run(v.version, func(t *testing.T) {
			read := func(name string) string { return answerOf(t, v.version, name) }
			info, err := parseInfo(read("show-info"), now)
			if err != nil || !strings.HasPrefix(info.Version, v.version+".") || info.Pid == 0 || now.Sub(info.Started) > time.Minute {
				t.Errorf("info %+v, %v", info, err)
			}
			if !info.atLeast(v.major, v.minor) || info.atLeast(v.major, v.minor+1) {
				t.Errorf("version %q does not compare", info.Version)
			}
			for _, name := range []string{"show-info-master", "no-target"} {
				if info, err := parseInfo(read(name), now); err == nil {
					t.Errorf("%s: %+v", name, info)
				}
			}

			for name, want := range map[string]reloads{"show-proc": {}, "show-proc-failed": {tried: 1, failed: 1}} {
				if got, err := parseReloads(read(name)); err != nil || got != want {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
			}
			if got, err := parseReloads(read("show-proc-worker")); err == nil {
				t.Errorf("a worker's show proc: %+v", got)
			}

			names := []string{"/etc/haproxy/a.pem", "/etc/haproxy/b.pem"}
			for name, transaction := range map[string]string{"show-cert-list": "", "show-cert-list-transaction": "/etc/haproxy/a.pem"} {
				got, err := parseCertList(read(name))
				if err != nil || !slices.Equal(got.names, names) || got.transaction != transaction {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
			}
			for name, key := range map[string]string{"show-cert": "", "show-cert-registered": keyA} {
				d, err := parseCertDetail(read(name))
				if err != nil || d.name != names[0] || d.sha1 != sha1 || d.ocspKey != key {
					t.Errorf("%s: %+v, %v", name, d, err)
				}
			}
			if d, err := parseCertDetail(read("show-cert-missing")); err == nil {
				t.Errorf("a missing certificate: %+v", d)
			}

			if keys, err := parseRegistered(read("show-ocsp-list")); err != nil || !slices.Equal(keys, []string{keyA}) {
				t.Errorf("registered %q, %v", keys, err)
			}
			if keys, err := parseRegistered(read("show-ocsp-list-empty")); err != nil || len(keys) != 0 {
				t.Errorf("registered %q, %v", keys, err)
			}
			if h, err := parseHeld(read("show-ocsp-unregistered")); err != nil || h.Registered {
				t.Errorf("unregistered: %+v, %v", h, err)
			}
			h, err := parseHeld(read("show-ocsp"))
			if err != nil || !h.Present || h.Revoked || h.NextUpdate.Sub(h.ThisUpdate) != 24*time.Hour || len(h.signature) < 64 {
				t.Errorf("held %+v, %v", h, err)
			}
			if v.version != "2.6" {
				der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(read("show-ocsp-base64")))
				cert := Certificate{OCSP: der, ThisUpdate: h.ThisUpdate, NextUpdate: h.NextUpdate}
				if err != nil || !h.is(cert) {
					t.Errorf("the text form does not fit the bytes: %v", err)
				}
				cert.OCSP = slices.Clone(der)
				cert.OCSP[slices.Index(der, h.signature[10])] ^= 1
				h.signature[20] ^= 1
				if h.is(Certificate{OCSP: der, ThisUpdate: h.ThisUpdate, NextUpdate: h.NextUpdate}) {
					t.Error("another signature is taken for the same response")
				}
			}

			for name, began := range map[string]bool{"set-cert": true, "set-cert-again": false} {
				if about, got, err := parseChanging(read(name)); err != nil || about != names[0] || got != began {
					t.Errorf("%s: %q, %v, %v", name, about, got, err)
				}
			}
			for name, want := range map[string]bool{"commit": true, "commit-ignored": true, "commit-other": false, "commit-no-issuer": false} {
				if done, _ := parseCommitted(read(name)); done != want {
					t.Errorf("%s: %v", name, done)
				}
			}
			if _, ignored := parseCommitted(read("commit-ignored")); (ignored == "") != (v.version == "2.6") {
				t.Errorf("ignored %q", ignored)
			}

			c := New(Config{Socket: "s"})
			for name, want := range map[string]Kind{
				"set-unregistered":      KindNotRegistered,
				"set-garbage":           KindRefused,
				"set-not-base64":        KindRefused,
				"set-cert-denied":       KindPermission,
				"show-cert-list-denied": KindPermission,
				"set-cert-missing":      KindRefused,
				"commit-other":          KindTransactionBusy,
				"abort-other":           KindTransactionBusy,
				"commit-no-issuer":      KindNoIssuer,
				"no-target":             KindSocket,
			} {
				if e := c.answerError("x", read(name)); e.Kind != want {
					t.Errorf("%s: %q, want %q", name, e.Kind, want)
				}
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"2.8.0": true, "2.8-dev1": true, "2.10": true, "3.0.1": true, "3.5-dev5-abc": true,
		"2.7.9": false, "1.9": false, "": false, "x": false, "2": false, "-": false,
	} {
		if got := (Info{Version: version}).atLeast(2, 8); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestCommandWord(t *testing.T) {
	for name, want := range map[string]string{
		"/etc/a.pem": "/etc/a.pem", "@store/a": "@store/a", `a b;c\d`: `a\ b\;c\\d`,
		"": "", "a\nb": "", "a\x00": "", "a <<": "", "a<<": "",
	} {
		got, ok := commandWord(name)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", name, got, ok)
		}
	}
}

// Text of OpenSSL before 3, which has no heading above the signature.
func TestSignatureWithoutHeading(t *testing.T) {
	text := "    Signature Algorithm: sha256WithRSAEncryption\n" + strings.Repeat("         "+strings.Repeat("0a:", 18)+"\n", 2) + "         0b\nCertificate:\n"
	if got := parseSignature(text); len(got) != 37 || got[36] != 0x0b {
		t.Errorf("%x", got)
	}
}

func FuzzAnswers(f *testing.F) {
	files, err := filepath.Glob("testdata/answers/*/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	c := New(Config{Socket: "s"})
	f.Fuzz(func(t *testing.T, answer string) {
		if info, err := parseInfo(answer, time.Unix(1e9, 0)); err == nil && (info.Pid <= 0 || info.Version == "") {
			t.Errorf("info %+v", info)
		}
		_, _ = parseReloads(answer)
		if list, err := parseCertList(answer); err == nil {
			for _, name := range list.names {
				if word, ok := commandWord(name); ok && strings.ContainsAny(word, "\r\n\x00") {
					t.Errorf("a name breaks a command: %q", word)
				}
			}
		}
		if d, err := parseCertDetail(answer); err == nil && (d.name == "" || len(d.sha1) != 40) {
			t.Errorf("detail %+v", d)
		}
		_, _ = parseRegistered(answer)
		if h, err := parseHeld(answer); err == nil && h.Present && (h.ThisUpdate.IsZero() && h.NextUpdate.IsZero() || !h.Registered) {
			t.Errorf("held %+v", h)
		}
		if name, _, err := parseChanging(answer); err == nil && (name == "" || strings.Contains(name, "\n")) {
			t.Errorf("transaction about %q", name)
		}
		if done, _ := parseCommitted(answer); done && !strings.Contains(answer, "Success!") {
			t.Error("success out of nothing")
		}
		if e := c.answerError("x", answer); e.Kind == "" || strings.ContainsAny(e.Error(), "\n\x00\x1b") || len(e.Error()) > 2000 {
			t.Errorf("error %q", e)
		}
		if l := alert(answer); strings.ContainsAny(l, "\n\x00\x1b") {
			t.Errorf("alert %q", l)
		}
	})
}
