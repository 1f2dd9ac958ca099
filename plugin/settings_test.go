package plugin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
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
	issuer, err := issuers{client: client}.find(t.Context(), below.Certificate(), f)
	if err != nil || !issuer.Equal(root.Certificate()) {
		t.Errorf("%v, %v", issuer, err)
	}
}
