package consultest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestProxy(t *testing.T) {
	t.Parallel()
	const answer = "an answer of more bytes than are let through"
	real := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
	defer real.Close()
	p := StartProxy(t, strings.TrimPrefix(real.URL, "http://"))
	ask := func() (string, time.Duration, error) {
		began := time.Now()
		transport := &http.Transport{DisableKeepAlives: true}
		req, err := http.NewRequest(http.MethodGet, "http://"+p.Address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return "", 0, err
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		return string(bytes.TrimSpace(got)), time.Since(began), err
	}
	if got, _, err := ask(); got != answer || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	p.Delay(200 * time.Millisecond)
	if got, took, err := ask(); got != answer || err != nil || took < 200*time.Millisecond {
		t.Errorf("delayed: %q after %s, %v", got, took, err)
	}
	p.Break(1, 20)
	if got, _, err := ask(); err == nil {
		t.Errorf("broken: %q", got)
	}
	p.Heal()
	if got, _, err := ask(); got != answer || err != nil {
		t.Errorf("healed: %q, %v", got, err)
	}
}
