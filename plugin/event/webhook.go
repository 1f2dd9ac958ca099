package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/hashicorp/go-cleanhttp"
)

// maxAnswer is how much of a webhook's answer is read, so that its connection
// can be used again.
const maxAnswer = 4 << 10

// webhook posts events.
type webhook struct {
	client    *http.Client
	userAgent string
}

func newWebhook(userAgent string) *webhook {
	client := cleanhttp.DefaultPooledClient()
	// A redirect would show what is told to somebody who was not named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &webhook{client: client, userAgent: userAgent}
}

// send posts the event as JSON. An answer of 2xx is success; of the others those
// that say that the request itself is wrong are final, save 408, 425 and 429.
// Errors name the host, and nothing else of the URL: the rest is often a secret.
func (w *webhook) send(ctx context.Context, settings Settings, e Event, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, settings.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, settings.Webhook, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("webhook: its URL can't be used: %w", errPermanent)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", w.userAgent)
	host := r.URL.Scheme + "://" + r.URL.Host
	answer, err := w.client.Do(r)
	if err != nil {
		var wrapped *url.Error // which repeats the whole URL
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return fmt.Errorf("%s: %w", host, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // what it says does not matter
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return fmt.Errorf("%s: answers with a redirect (%d), which is not followed: write the final URL; %w", host, code, errPermanent)
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooEarly && code != http.StatusTooManyRequests:
		return fmt.Errorf("%s: answers with %d; %w", host, code, errPermanent)
	default:
		return fmt.Errorf("%s: answers with %d", host, code)
	}
}
