package plugin

import (
	"crypto/x509"
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
)

// A fetch block's proxy is the one through which issuers are downloaded too.
func TestIssuersAreDownloadedThroughTheProxy(t *testing.T) {
	const url = "http://aia.example.com/ca.crt"
	root, err := testca.Init(t.TempDir(), testca.InitOptions{Name: "root"})
	if err != nil {
		t.Fatal(err)
	}
	below, err := testca.Init(t.TempDir(), testca.InitOptions{Name: "below", Parent: root, IssuerURLs: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
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
	if f.settings.Proxy != settings.Proxy {
		t.Errorf("exchanges go through %q, want %q", f.settings.Proxy, settings.Proxy)
	}
	client := responder.New(responder.Config{})
	t.Cleanup(client.Close)
	found, err := issuer.Finder{Client: client}.Find(t.Context(), below.Certificate(), f.forIssuers())
	if err != nil || !found.Equal(root.Certificate()) {
		t.Errorf("%v, %v", found, err)
	}
}

// What a fetch block says reaches the fetcher, all of it.
func TestAFetchBlockReachesTheFetcher(t *testing.T) {
	ca, err := testca.Init(t.TempDir(), testca.InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
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
	if !reflect.DeepEqual(f.settings, want) || len(f.trustedIssuers) != 1 {
		t.Errorf("%+v, issuers %d; want %+v", f.settings, len(f.trustedIssuers), want)
	}
	for v, i := reflect.ValueOf(want), 0; i < v.NumField(); i++ {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() != (name == "Off") {
			t.Errorf("%s is not shown here", name)
		}
	}
	if f, err = newFetch(hclconfig.Fetch{Responder: []string{""}}); err != nil || !f.settings.Off || f.settings.Responders != nil {
		t.Errorf("%+v, %v; want it off", f.settings, err)
	}
}
