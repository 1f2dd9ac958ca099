package haproxy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// BenchmarkInstall pushes one response into a process with many certificates,
// whose names are known after the first push.
func BenchmarkInstall(b *testing.B) {
	w := newWorld(b)
	all := testcatest.IssueMany(b, w.ca, testca.IssueOptions{}, 300, "c%d.test")
	folder := b.TempDir()
	for _, cert := range all {
		if err := os.Rename(cert.Path, filepath.Join(folder, filepath.Base(cert.Path))); err != nil {
			b.Fatal(err)
		}
	}
	p := haproxytest.Start(b, haproxytest.Options{Certs: []string{folder}})
	c := client(b, p.Socket())
	first := w.good(all[0], 3*time.Hour, time.Hour)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, err := client(b, p.Socket()).Install(b.Context(), haproxy.MethodPush, first); err != nil {
				b.Fatal(err)
			}
		}
	})
	age := 2 * time.Hour
	b.Run("next", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			age -= time.Second
			next := w.good(all[0], age, time.Hour)
			b.StartTimer()
			if _, err := c.Install(b.Context(), haproxy.MethodPush, next); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Many certificates that HAProxy does not serve do not each ask for all names.
func TestNotServedAmongMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var list strings.Builder
	list.WriteString("# filename\n")
	for i := range 600 {
		fmt.Fprintf(&list, "/%d.pem\n", i)
	}
	f := newFake(t, func(line string) (string, bool) {
		switch {
		case line == "show info":
			return someInfo, true
		case strings.HasPrefix(line, "show ssl ocsp-response"):
			return "Certificate ID does not match any certificate.\n\n", true
		case line == "show ssl cert":
			return list.String(), true
		}
		return "Filename: " + strings.TrimPrefix(line, "show ssl cert ") + "\nSHA1 FingerPrint: " + strings.Repeat("A", 40) + "\n\n", true
	})
	c := client(t, f.socket, func(c *haproxy.Config) { now := w.now; c.Now = func() time.Time { return now } })
	cert := w.good(w.issue("a.test", testca.IssueOptions{}), time.Hour, time.Hour)
	for range 20 {
		_, err := c.Install(t.Context(), haproxy.MethodPush, cert)
		if haproxy.KindOf(err) != haproxy.KindNotServed {
			t.Fatal(err)
		}
	}
	if asked := f.asked.Load(); asked > 800 {
		t.Errorf("asked %d times", asked)
	}
}
