package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
)

// shownHandshake is what the pages print of a handshake with a staple.
var shownHandshake = regexp.MustCompile(`Cert Status: (\w+)\n +This Update: (.*) GMT\n`)

// The pages for those who come from another way work word by word, as
// TestClusterExample has it, and on the way from the old one to the new one no
// client goes without a staple. The handshake is as good as before, or better:
// of the same time or newer, and revoked as soon as the CA says so.
func TestComingFromExamples(t *testing.T) {
	t.Parallel()
	system, newer := haproxytest.Binary(t), consultest.Binary(t, "haproxy-3.0")
	for _, page := range []struct {
		name, haproxy string
		says          []string // besides handshakes, in this order
	}{
		{"openssl-cron", system, nil},
		{"openssl-cron", newer, nil},
		{"socat", system, []string{"OCSP Response updated!"}},
		{"socat", newer, []string{"OCSP Response updated!"}},
		{"hapos-upd", system, []string{"OCSP Response updated!"}},
		{"hapos-upd", newer, []string{"OCSP Response updated!"}},
		{"ocsp-update", newer, []string{", adopted from haproxy\n", "\n<OCSP-UPDATE> /", `/run/certs/www.example.test.pem 1 "Update successful" 0 1` + "\n"}},
		{"nginx-stapling", system, []string{"OCSP response: no response sent\n", "run/certs/www.example.test.pem: good\n"}},
	} {
		name := page.name
		if page.haproxy == newer {
			name += "/3.0"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := copyExample(t, filepath.Join("..", "..", "examples", "coming-from-"+page.name), "8888", "8443")
			readme := readText(t, filepath.Join(dir, "README.md"))
			address := regexp.MustCompile(`-connect (127\.0\.0\.1:\d+)`).FindStringSubmatch(readme)[1]
			from := "" // at once
			if page.name == "nginx-stapling" {
				from = filepath.Join(dir, "run", "before") // the first client is the page's
			}
			stop := watchStapled(t, address, "www.example.test", from)
			out := runExampleOn(t, dir, shellBlocks(readme), page.haproxy)
			stop()
			rest := out
			for _, want := range page.says {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("nothing in the rest of its output is %q:\n%s", want, out)
				}
				rest = after
			}
			neverWorse(t, out)
			if _, err := os.Stat(filepath.Join(dir, "run")); !os.IsNotExist(err) {
				t.Errorf("it leaves its folder behind: %v", err)
			}
		})
	}
}

// neverWorse compares the handshakes that a page shows.
func neverWorse(t *testing.T, out string) {
	t.Helper()
	all := shownHandshake.FindAllStringSubmatch(out, -1)
	if len(all) < 2 || !strings.HasSuffix(strings.TrimSpace(out), "Cert Status: revoked") {
		t.Fatalf("it does not show a handshake before, one after, and a revocation:\n%s", out)
	}
	var before time.Time
	for _, m := range all {
		at, err := time.Parse("Jan _2 15:04:05 2006", m[2])
		if err != nil || m[1] != "good" || at.Before(before) {
			t.Errorf("a handshake shows %s of %v after one of %v: %v", m[1], at, before, err)
		}
		before = at
	}
}

// watchStapled shakes hands all the time, once there is a file from, if it names
// one. From the first staple on, no handshake that comes about may be without one.
func watchStapled(t *testing.T, address, name, from string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	count, bare := 0, 0
	done.Go(func() { // ends with stop
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if _, err := os.Stat(from); err == nil || from == "" || count > 0 {
				r, err := handshake.Connect(ctx, handshake.Options{Address: address, ServerName: name, Timeout: patience})
				switch {
				case err != nil: // not up yet, or not any more
				case len(r.Staple) > 0:
					count++
				case count > 0:
					bare++
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		done.Wait()
		if bare > 0 || count == 0 {
			t.Errorf("%d handshakes without a staple after the first of %d with one", bare, count)
		}
	})
}

// Nobody has to look for what became of a setting: each page's table has them all.
func TestComingFromNamesEverySetting(t *testing.T) {
	t.Parallel()
	pages := map[string][]string{
		"openssl-cron":   {"-cert", "-issuer", "-url", "-header Host", "-no_nonce", "-noverify", "-VAfile", "-respout", "-proxy", "cron line", "reload haproxy"},
		"socat":          {"0 5 * * *", "AIA download", "-header Host", "-no_nonce", "-noverify", "base64", "socat", "set ssl ocsp-response"},
		"ocsp-update":    {"ocsp-update.mode", "ocsp-update.mindelay", "ocsp-update.maxdelay", "ocsp-update.httpproxy", "ocsp-update.disable", "ocsp-update on", "ocsp-update off", "crt-list", "crt-store", "ocsp FILE", "issuer FILE", "update ssl ocsp-response", "<OCSP-UPDATE>"},
		"nginx-stapling": {"ssl_stapling on", "ssl_stapling_verify", "ssl_trusted_certificate", "ssl_stapling_responder", "resolver", "first connection"},
	}
	haposCommand(environment{}).flags.VisitAll(func(f *flag.Flag) {
		switch name := "--" + f.Name; {
		case f.Name == "reload" || f.Name == "lock-dir" || f.Name == "trusted-folder": // not the script's
		case len(f.Name) == 1:
			pages["hapos-upd"] = append(pages["hapos-upd"], name[1:]+"`")
		default:
			pages["hapos-upd"] = append(pages["hapos-upd"], name)
		}
	})
	for page, settings := range pages {
		var before []string // the tables' first columns
		for line := range strings.Lines(readText(t, filepath.Join("..", "..", "examples", "coming-from-"+page, "README.md"))) {
			if row, ok := strings.CutPrefix(line, "| "); ok {
				first, _, _ := strings.Cut(row, " | ")
				before = append(before, first)
			}
		}
		for _, setting := range settings {
			if !strings.Contains(strings.Join(before, "\n"), setting) {
				t.Errorf("coming-from-%s does not say what became of %s", page, setting)
			}
		}
	}
}

// HAProxy's tutorial works in its twenty steps and in our four, and the client is
// shown a good staple by both. openssl's responder listens on every interface, so
// all of it runs in a network of its own.
func TestTutorialExample(t *testing.T) {
	t.Parallel()
	dir := copyExample(t, filepath.Join("..", "..", "examples", "coming-from-haproxy-tutorial"))
	script := "ip link set lo up\n" + shellBlocks(readText(t, filepath.Join(dir, "README.md")))
	if err := os.WriteFile(filepath.Join(dir, "steps"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	out := runExampleOn(t, dir, "unshare --net --map-root-user sh -eu steps", consultest.Binary(t, "haproxy-3.0"))
	all := shownHandshake.FindAllStringSubmatch(out, -1)
	if len(all) != 2 || all[0][1] != "good" || all[1][1] != "good" || !strings.Contains(out, "run/old/certs/www.crt: good\n") {
		t.Errorf("it does not show a good staple for each of the two ways:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "run")); !os.IsNotExist(err) {
		t.Errorf("it leaves its folder behind: %v", err)
	}
}
