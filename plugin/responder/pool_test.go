package responder_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
)

// A responder that moves is asked at its new address by the next fetch, though
// the old one still answers on a connection that is in steady use.
func TestDNSIsResolvedForEachFetch(t *testing.T) {
	var port string
	at := map[byte]*atomic.Int64{}
	for _, last := range []byte{1, 2} { // 127.0.0.1 and 127.0.0.2, on one port
		l, err := net.Listen("tcp", net.IPv4(127, 0, 0, last).String()+":"+map[bool]string{true: "0", false: port}[last == 1])
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		n := &atomic.Int64{}
		at[last] = n
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			io.Copy(io.Discard, r.Body)
			answerTryLater(w, r)
		}))
		s.Listener.Close()
		s.Listener = l
		s.Start()
		t.Cleanup(s.Close)
	}
	var address, queries atomic.Int64
	address.Store(1)
	resolver := fakeDNSOf(t, func() map[string][4]byte {
		queries.Add(1)
		return map[string][4]byte{"ocsp.example.com.": {127, 0, 0, byte(address.Load())}}
	})
	var clock atomic.Int64
	clock.Store(time.Now().Unix())
	client := newClient(t, responder.Config{Resolver: resolver, Now: func() time.Time { return time.Unix(clock.Load(), 0) }})
	ask := func() {
		t.Helper()
		_, err := client.Exchange(t.Context(), responder.Request{URL: "http://ocsp.example.com:" + port, OCSP: []byte("DER"), Guard: own()})
		if err != nil {
			t.Fatal(err)
		}
	}
	ask()
	first := queries.Load()
	for range 2 { // a second later, as the fetch of another certificate
		clock.Add(1)
		ask()
	}
	if queries.Load() != first || at[1].Load() != 3 {
		t.Errorf("%d queries for 3 fetches of a moment, %d requests: connections are not kept", queries.Load(), at[1].Load())
	}
	address.Store(2)
	// Never idle for long, but no connection is kept for ever.
	for range 30 {
		clock.Add(1)
		ask()
	}
	if at[2].Load() == 0 || queries.Load() == first {
		t.Error("after half a minute in use the old address is still asked")
	}
	// The pause between two fetches of one certificate.
	address.Store(1)
	before := at[1].Load()
	clock.Add(300)
	ask()
	if at[1].Load() != before+1 {
		t.Error("the next scheduled fetch asked the old address")
	}
	// Set back.
	address.Store(2)
	before = at[2].Load()
	clock.Add(-7200)
	ask()
	if at[2].Load() != before+1 {
		t.Error("a clock that is set back keeps the old address")
	}
}
