package settings

import (
	"crypto/x509"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// A fetch block's proxy is the one through which issuers are downloaded too.
func TestIssuersAreDownloadedThroughTheProxy(t *testing.T) {
	const url = "http://aia.example.com/ca.crt"
	root := testcatest.Init(t, testca.InitOptions{Name: "root"})
	below := testcatest.Init(t, testca.InitOptions{Name: "below", Parent: root, IssuerURLs: []string{url}})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != url {
			t.Errorf("the proxy was asked for %s", r.RequestURI)
		}
		w.Write(root.Certificate().Raw)
	}))
	t.Cleanup(proxy.Close)
	settings := hclconfig.Default().Fetch
	settings.Proxy = proxy.Listener.Addr().String()
	f, err := newFetch(settings)
	if err != nil {
		t.Fatal(err)
	}
	if f.Settings.Proxy != settings.Proxy {
		t.Errorf("exchanges go through %q, want %q", f.Settings.Proxy, settings.Proxy)
	}
	client := responder.New(responder.Config{})
	t.Cleanup(client.Close)
	found, err := issuer.Finder{Client: client}.Find(t.Context(), below.Certificate(), f.ForIssuers())
	if err != nil || !found.Equal(root.Certificate()) {
		t.Errorf("%v, %v", found, err)
	}
}

// What a fetch block says reaches the fetcher, all of it.
func TestAFetchBlockReachesTheFetcher(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	file := filepath.Join(ca.Dir(), "ca.pem")
	f, err := newFetch(hclconfig.Fetch{
		MinDelay: time.Minute, MaxDelay: 2 * time.Minute, Timeout: time.Second, Proxy: "127.0.0.1:3128",
		Responder: []string{"http://ocsp.example.com"}, Host: "ocsp.example.net", TrustedResponders: file, TrustedIssuers: file,
		AllowedResponders: []string{"*.example.com"}, AllowPrivateAddresses: true, AllowSHA1Signatures: true,
		Concurrency: 7, Rate: 70,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := fetcher.Settings{
		MinDelay: time.Minute, MaxDelay: 2 * time.Minute, Timeout: time.Second, Proxy: "127.0.0.1:3128",
		Responders: []string{"http://ocsp.example.com"}, Host: "ocsp.example.net",
		TrustedResponders: []*x509.Certificate{ca.Certificate()}, AllowedResponders: []string{"*.example.com"},
		AllowPrivateAddresses: true, AllowSHA1Signatures: true, Concurrency: 7, Rate: 70,
	}
	if !reflect.DeepEqual(f.Settings, want) || len(f.TrustedIssuers) != 1 {
		t.Errorf("%+v, issuers %d; want %+v", f.Settings, len(f.TrustedIssuers), want)
	}
	for v, i := reflect.ValueOf(want), 0; i < v.NumField(); i++ {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() != (name == "Off") {
			t.Errorf("%s is not shown here", name)
		}
	}
	if f, err = newFetch(hclconfig.Fetch{Responder: []string{""}}); err != nil || !f.Settings.Off || f.Settings.Responders != nil {
		t.Errorf("%+v, %v; want it off", f.Settings, err)
	}
}

// Other trusted issuers make all be judged again; nothing else does.
func TestSettingsJudgeAlike(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	trusting := Fetch{TrustedIssuers: []*x509.Certificate{ca.Certificate()}}
	with := func(change func(s *Settings)) *Settings {
		s := &Settings{Config: &hclconfig.Config{}, jobs: map[string]Fetch{"edge": {}}}
		change(s)
		return s
	}
	plain := with(func(*Settings) {})
	for name, c := range map[string]struct {
		s    *Settings
		want bool
	}{
		"itself":           {plain, true},
		"other settings":   {with(func(s *Settings) { s.Top.Settings.Host = "x" }), true},
		"another job":      {with(func(s *Settings) { s.jobs = map[string]Fetch{"web": {}} }), true},
		"trusted":          {with(func(s *Settings) { s.Top = trusting; s.jobs = nil }), false},
		"trusted in a job": {with(func(s *Settings) { maps.Copy(s.jobs, map[string]Fetch{"edge": trusting}) }), false},
	} {
		if plain.JudgesAs(c.s) != c.want || c.s.JudgesAs(plain) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}
