package consultest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Proxy is a toxiproxy before one address: what goes through it can be made to suffer. Its methods are for the test's own
// goroutine.
type Proxy struct {
	t   testing.TB
	api string // of toxiproxy
	// Address is where it listens, on loopback.
	Address string
}

// StartProxy starts a proxy before an address, host:port, and ends it with the test.
func StartProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	program := Binary(t, "toxiproxy")
	for range startTries {
		port, err := freePort("127.0.0.1", nil)
		if err != nil {
			t.Fatalf("toxiproxy: %v", err)
		}
		cmd := exec.Command(program, "-host", "127.0.0.1", "-port", strconv.Itoa(port))
		cmd.SysProcAttr = endWithParent()
		if err := cmd.Start(); err != nil {
			t.Fatalf("toxiproxy: %v", err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		p := &Proxy{t: t, api: fmt.Sprintf("http://127.0.0.1:%d/proxies", port)}
		if p.create(upstream) {
			return p
		}
	}
	t.Fatal("toxiproxy: every choice of a port was taken by others")
	return nil
}

// create waits for toxiproxy and makes its one proxy.
func (p *Proxy) create(upstream string) bool {
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var made struct{ Listen string }
		if err := p.say("", object{"name": "consul", "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true}, &made); err == nil {
			p.Address = made.Listen
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
}

// Delay has every answer come later by this much.
func (p *Proxy) Delay(latency time.Duration) {
	p.t.Helper()
	p.spoil("latency", 1, object{"latency": latency.Milliseconds()})
}

// Break has this share of the connections reset once they have passed on so many bytes of answers.
func (p *Proxy) Break(share float64, bytes int) {
	p.t.Helper()
	p.spoil("limit_data", share, object{"bytes": bytes})
}

func (p *Proxy) spoil(kind string, share float64, attributes object) {
	p.t.Helper()
	toxic := object{"name": kind, "type": kind, "stream": "downstream", "toxicity": share, "attributes": attributes}
	if err := p.say("/consul/toxics", toxic, nil); err != nil {
		p.t.Fatalf("toxiproxy: %v", err)
	}
}

// Heal ends all suffering, and all connections with it.
func (p *Proxy) Heal() {
	p.t.Helper()
	for _, enabled := range []bool{false, true} {
		if err := p.say("/consul", object{"enabled": enabled, "listen": p.Address}, nil); err != nil {
			p.t.Fatalf("toxiproxy: %v", err)
		}
	}
	var toxics []struct{ Name string }
	if err := p.call(http.MethodGet, "/consul/toxics", nil, &toxics); err != nil {
		p.t.Fatalf("toxiproxy: %v", err)
	}
	for _, toxic := range toxics {
		if err := p.call(http.MethodDelete, "/consul/toxics/"+toxic.Name, nil, nil); err != nil {
			p.t.Fatalf("toxiproxy: %v", err)
		}
	}
}

func (p *Proxy) say(path string, body, answer any) error {
	return p.call(http.MethodPost, path, body, answer)
}

func (p *Proxy) call(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, p.api+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(got))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}
