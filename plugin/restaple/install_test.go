package restaple

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// onWords calls do when what is written has these words.
type onWords struct {
	words string
	do    func()
}

func (o onWords) Write(b []byte) (int, error) {
	if strings.Contains(string(b), o.words) {
		o.do()
	}
	return len(b), nil
}

// A run that is interrupted says so, wherever it was: nothing that was not written,
// or that HAProxy was not told, is a success.
func TestInterrupted(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	issued := testcatest.Issue(t, ca, testca.IssueOptions{}, "www.example.test")
	responder := httptest.NewServer(ca.Responder(testca.ResponderOptions{}))
	defer responder.Close()
	h := haproxytest.Start(t, haproxytest.Options{Certs: []string{issued.Path}})
	file := issued.Path + ".ocsp"
	for name, c := range map[string]struct {
		at, error string
		skip      bool
		filed     bool
	}{
		"not":                             {filed: true},
		"before the file":                 {at: "this update", error: "was not written: context canceled"},
		"before the file, nobody is told": {at: "this update", error: "was not written: context canceled", skip: true},
		"before HAProxy is told":          {at: "file written", error: "was not told: context canceled", filed: true},
		"after the file, which is all that is to": {at: "file written", skip: true, filed: true},
	} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		watch := onWords{c.at, interrupt}
		if c.at == "" {
			watch.do = func() {}
		}
		got, err := Run(ctx, One{
			Certificate: issued.Path, URL: responder.URL, Socket: h.Socket(), LockDir: filepath.Join(t.TempDir(), "lock"), SkipPush: c.skip,
			Logger: hclog.New(&hclog.LoggerOptions{Output: watch}),
			Tell:   func(format string, _ ...any) { _, _ = watch.Write([]byte(format)) },
		})
		interrupt()
		var at *Error
		if (err != nil) != (c.error != "") || err != nil && (!errors.As(err, &at) || at.Stage != StageInstall || !strings.Contains(err.Error(), c.error)) {
			t.Errorf("interrupted %s: %v; want %q", name, err, c.error)
		}
		if _, err := os.Stat(file); (err == nil) != c.filed {
			t.Errorf("interrupted %s: the file: %v; want it written: %t", name, err, c.filed)
		}
		if told := got.How != ""; told != (c.at == "") {
			t.Errorf("interrupted %s: HAProxy was told: %q", name, got.How)
		}
	}
}
