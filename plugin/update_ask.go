package plugin

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
func (u *update) ask(ctx context.Context) error {
	urls := u.got.Leaf.OCSPServer
	if u.URL != "" {
		urls = []string{u.URL}
	}
	if len(urls) == 0 {
		return failedAt(StageNoURL, "%s: the certificate names no OCSP responder, and no URL was given", u.Certificate)
	}
	request, err := staple.NewRequest(u.got.Leaf, u.got.Issuer)
	if err != nil {
		return failedAt(StageCertificate, "%s: %w", u.Certificate, err)
	}
	var failures []error
	stage := StageForm
	for _, url := range urls {
		err := u.askOne(ctx, responder.Request{
			URL: url, OCSP: request, Host: u.Host, Proxy: u.Proxy, Guard: responder.Guard{AllowPrivate: true},
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
	return failedAt(stage, "%s: %w", u.Certificate, errors.Join(failures...))
}

// askOne asks one responder, and once more past all caches where an answer is
// too old.
func (u *update) askOne(ctx context.Context, r responder.Request) error {
	host := r.Host
	if host == "" {
		host = "its own"
	}
	u.Tell("responder: %s, Host header %s, proxy %s", r.URL, host, orEnvironment(u.Proxy))
	err := u.exchange(ctx, r)
	if staple.ReasonOf(err) == staple.Expired {
		u.Tell("asking again past caches")
		r.Method, r.NoCache = http.MethodPost, true
		if u.exchange(ctx, r) == nil {
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
func (u *update) exchange(ctx context.Context, r responder.Request) error {
	answer, err := u.client.Exchange(ctx, r)
	if err != nil {
		return err
	}
	u.got.DER = answer.Body
	if u.AnySigner {
		u.got.Signers = append(u.got.Signers[:len(u.got.Signers):len(u.got.Signers)], staple.Embedded(answer.Body)...)
	}
	facts, err := staple.Verify(answer.Body, u.got.Leaf, u.got.Issuer, staple.Options{
		Now: time.Now(), TrustedResponders: u.got.Signers,
	})
	if err != nil {
		u.Tell("response: %d bytes by %s, refused: %v", len(answer.Body), answer.Method, err)
		return err
	}
	u.got.Facts = facts
	u.Tell("response: %d bytes by %s, verified, signed by %s", len(answer.Body), answer.Method, facts.Signer.Subject)
	u.Tell("status: %s", facts.Status)
	u.Tell("this update: %s", facts.ThisUpdate.UTC().Format(time.RFC3339))
	if !facts.NextUpdate.IsZero() {
		u.Tell("next update: %s", facts.NextUpdate.UTC().Format(time.RFC3339))
	}
	for _, w := range facts.Warnings {
		u.Tell("note: %s", w)
	}
	return nil
}
