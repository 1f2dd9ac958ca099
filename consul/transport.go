package consul

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

// maxBody bounds one answer: Consul's own limits let 64 values of a
// transaction, or all meta of 100,000 certificates, stay below it.
const maxBody = 256 << 20

const tokenHeader = "X-Consul-Token"

// transport adds to every request the current token, and to every answer a
// bound. It tells connection what came of it.
type transport struct {
	base   *http.Transport
	token  *token
	state  *connection
	logger hclog.Logger
	asked  atomic.Bool // for a certificate, which this client has not
	// measure is Config.OnRequest.
	measure func(kind string, failed bool, took time.Duration)
}

// noteAsked has t know when Consul asks for a certificate in vain.
func (t *transport) noteAsked() {
	config := t.base.TLSClientConfig
	if config == nil || len(config.Certificates) > 0 {
		return
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		t.asked.Store(true)
		return &tls.Certificate{}, nil
	}
}

// newTransport makes the connections to address, which is Consul's: host:port,
// an http or https URL, or unix:///path.
func newTransport(address string, files api.TLSConfig) (*http.Transport, error) {
	config, err := api.SetupTLSConfig(&files)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
	}
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}
	}
	return t, nil
}

// RoundTrip sends req. A refusal for want of rights is asked again, once, if
// the token's file holds another token by then.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	began := t.state.now()
	resp, err := t.send(req)
	if err == nil && resp.StatusCode == http.StatusForbidden {
		if again, ok := t.withNewToken(req); ok {
			resp.Body.Close()
			resp, err = t.send(again)
		}
	}
	t.state.observe(began, req, resp, err)
	t.measured(began, req, resp, err)
	if err != nil {
		return nil, t.withoutCertificate(err)
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	return resp, nil
}

// measured tells what came of a request, unless the caller ended it.
func (t *transport) measured(began time.Time, req *http.Request, resp *http.Response, err error) {
	cause := context.Cause(req.Context())
	if t.measure == nil || err != nil && cause != nil && cause != errTimeout {
		return
	}
	failed := err != nil || resp.StatusCode == http.StatusForbidden || resp.StatusCode >= http.StatusInternalServerError
	t.measure(kindOf(req), failed, t.state.now().Sub(began))
}

// kindOf is what a request is to whoever measures.
func kindOf(req *http.Request) string {
	switch {
	case req.Method != http.MethodGet:
		return "write"
	case req.URL.Query().Get("wait") != "" || req.URL.Query().Get("index") != "":
		return "blocking"
	}
	return "read"
}

// withoutCertificate adds a remedy to err where Consul asked this client, which
// has none, for a certificate. What err itself says of it depends on how far the
// first request came: "broken pipe" is one of the texts.
func (t *transport) withoutCertificate(err error) error {
	if !t.asked.Load() {
		return err
	}
	return fmt.Errorf("%w: consul asked for a client's certificate: set tls { cert_file, key_file }", err)
}

func (t *transport) send(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del(tokenHeader)
	if value := t.token.get(); value != "" {
		req.Header.Set(tokenHeader, value)
	}
	return t.base.RoundTrip(req)
}

// withNewToken is req ready to be sent again, if that makes sense.
func (t *transport) withNewToken(req *http.Request) (*http.Request, bool) {
	changed, err := t.token.reload()
	if err != nil {
		t.logger.Debug("the token's file can't be read again", "error", err)
	}
	if !changed {
		return nil, false
	}
	again := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return again, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	if again.Body, err = req.GetBody(); err != nil {
		return nil, false
	}
	return again, true
}
