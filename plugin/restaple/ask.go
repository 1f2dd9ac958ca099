package restaple

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// ask asks the responders one after the other until an answer verifies.
func (r *run) ask(ctx context.Context) error {
	urls := r.got.Leaf.OCSPServer
	if r.URL != "" {
		urls = []string{r.URL}
	}
	if len(urls) == 0 {
		return failedAt(StageNoURL, "%s: the certificate names no OCSP responder, and no URL was given", r.Certificate)
	}
	request, err := staple.NewRequest(r.got.Leaf, r.got.Issuer)
	if err != nil {
		return failedAt(StageCertificate, "%s: %w", r.Certificate, err)
	}
	var failures []error
	stage := StageForm
	for _, url := range urls {
		err := r.askOne(ctx, responder.Request{
			URL: url, OCSP: request, Host: r.Host, Proxy: r.Proxy, Guard: responder.Guard{AllowPrivate: true},
		})
		if err == nil {
			return nil
		}
		failures = append(failures, err)
		switch {
		case staple.ReasonOf(err) != "": // somebody answered
			stage = StageResponse
		case responder.ReasonOf(err) != responder.BadURL && stage == StageForm:
			stage = StageExchange
		}
	}
	return failedAt(stage, "%s: %w", r.Certificate, errors.Join(failures...))
}

// askOne asks one responder, and once more past all caches where an answer is
// too old.
func (r *run) askOne(ctx context.Context, q responder.Request) error {
	host := q.Host
	if host == "" {
		host = "its own"
	}
	r.Tell("responder: %s, Host header %s, proxy %s", q.URL, host, orEnvironment(r.Proxy))
	err := r.exchange(ctx, q)
	if staple.ReasonOf(err) == staple.Expired {
		r.Tell("asking again past caches")
		q.Method, q.NoCache = http.MethodPost, true
		if r.exchange(ctx, q) == nil {
			return nil
		}
	}
	return err
}

func orEnvironment(proxy string) string {
	if proxy == "" {
		return "as the environment says"
	}
	return withoutPassword(proxy)
}

// withoutPassword is a proxy without what only it should read.
func withoutPassword(proxy string) string {
	if at := strings.LastIndexByte(proxy, '@'); at >= 0 {
		return proxy[at+1:]
	}
	return proxy
}

// exchange asks once, and verifies the answer.
func (r *run) exchange(ctx context.Context, q responder.Request) error {
	answer, err := r.client.Exchange(ctx, q)
	if err != nil {
		return err
	}
	r.got.DER = answer.Body
	if r.AnySigner {
		r.got.Signers = append(r.got.Signers[:len(r.got.Signers):len(r.got.Signers)], staple.Embedded(answer.Body)...)
	}
	facts, err := staple.Verify(answer.Body, r.got.Leaf, r.got.Issuer, staple.Options{
		Now: time.Now(), TrustedResponders: r.got.Signers,
	})
	if err != nil {
		r.Tell("response: %d bytes by %s, refused: %v", len(answer.Body), answer.Method, err)
		return err
	}
	r.got.Facts = facts
	r.Tell("response: %d bytes by %s, verified, signed by %s", len(answer.Body), answer.Method, facts.Signer.Subject)
	r.Tell("status: %s", facts.Status)
	r.Tell("this update: %s", facts.ThisUpdate.UTC().Format(time.RFC3339))
	if !facts.NextUpdate.IsZero() {
		r.Tell("next update: %s", facts.NextUpdate.UTC().Format(time.RFC3339))
	}
	for _, w := range facts.Warnings {
		r.Tell("note: %s", w)
	}
	return nil
}
