package haproxy_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func sha1Of(c *testca.Issued) string {
	sum := sha1.Sum(c.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

func TestServedIsWhatTheProcessLoaded(t *testing.T) {
	w := newWorld(t)
	one, two := w.issue("one.example.com", testca.IssueOptions{}), w.issue("two.example.com", testca.IssueOptions{Responders: []string{"http://127.0.0.1:9/"}})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{one.Path, two.Path}})
	list, err := client(t, p.Socket()).Served(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{one.Path: sha1Of(one), two.Path: sha1Of(two)}
	for _, s := range list {
		if want[s.Name] != s.SHA1 || s.File != s.Name || s.Updates {
			t.Errorf("%+v", s)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}

func TestServedKnowsAliasesAndOwnUpdates(t *testing.T) {
	w := newWorld(t)
	one, two := w.issue("one.example.com", testca.IssueOptions{}), w.issue("two.example.com", testca.IssueOptions{Responders: []string{"http://127.0.0.1:9/"}})
	p := haproxytest.Start(t, haproxytest.Options{
		Binary: consultest.Binary(t, "haproxy-3.0"),
		Certs:  []string{one.Path},
		// It may ask the responder, which nobody is.
		ExtraGlobal: "crt-store web\n\tload crt " + two.Path + " alias named ocsp-update on\n",
		ExtraBind:   "crt @web/named",
	})
	list, err := client(t, p.Socket()).Served(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]haproxy.Served{}
	for _, s := range list {
		found[s.Name] = s
	}
	named := found["@web/named"]
	if named.SHA1 != sha1Of(two) || !named.Updates || named.File != "" && filepath.Base(named.File) != filepath.Base(two.Path) {
		t.Errorf("%+v in %+v", named, list)
	}
	if s := found[one.Path]; s.Updates || s.SHA1 != sha1Of(one) {
		t.Errorf("%+v", s)
	}
}

// What a listing brought spares a push the question for each name, and is put
// right by the next one.
func TestServedTellsPushesWhatIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.issue("www.test", testca.IssueOptions{})
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{old.Path}})
	c := client(t, p.Socket())
	listed := func() {
		t.Helper()
		if list, err := c.Served(t.Context()); err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
	}
	listed()
	install(t, c, w.good(old, 3*time.Hour, time.Hour), haproxy.HowTransaction)
	renewed := w.issue("www.test", testca.IssueOptions{File: old.Path + ".new"})
	command(t, p, "set ssl cert %s <<\n%s", old.Path, readFile(t, renewed.Path))
	command(t, p, "commit ssl cert %s", old.Path)
	listed()
	r := w.good(renewed, time.Hour, time.Hour)
	install(t, c, r, haproxy.HowTransaction)
	wantStaple(t, p, "www.test", r.OCSP)
}

// Of a process that nobody has asked yet, a listing and a push beside it ask for
// each name once.
func TestServedAndAPushAskForNamesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cert := w.good(w.issue("www.test", testca.IssueOptions{}), time.Hour, time.Hour)
	const many = 1000
	names := "# filename\n"
	for i := range many {
		names += fmt.Sprintf("/c%d.pem\n", i)
	}
	var mu sync.Mutex
	asked := map[string]int{}
	first := make(chan struct{})
	f := newFake(t, func(line string) (string, bool) {
		name, detail := strings.CutPrefix(line, "show ssl cert ")
		switch {
		case line == "show info":
			return "Version: 2.6.12\nPid: 7\nUptime_sec: 5\n", true
		case line == "show ssl cert":
			return names, true
		case detail:
			mu.Lock()
			defer mu.Unlock()
			if len(asked) == 0 {
				close(first)
			}
			asked[name]++
			return fmt.Sprintf("Filename: %s\nSHA1 FingerPrint: %040x\n", name, len(asked)), true
		}
		return "Certificate ID does not match any certificate.\n", true
	})
	c := client(t, f.socket)
	var pushing sync.WaitGroup
	pushing.Go(func() {
		<-first
		wantKind(t, c.PushAll(t.Context(), []haproxy.Certificate{cert})[0].Err, haproxy.KindNotServed)
	})
	if list, err := c.Served(t.Context()); err != nil || len(list) != many {
		t.Fatalf("%d: %v", len(list), err)
	}
	pushing.Wait()
	delete(asked, cert.Path) // which the push looks at
	for name, n := range asked {
		if n != 1 {
			t.Fatalf("%s was asked for %d times", name, n)
		}
	}
}
