package status

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// HandlerOptions say where a Handler has its answers from.
type HandlerOptions struct {
	// Read makes a report. One that comes with an error is shown, with the error
	// in it. The Handler runs one Read at a time, whoever asks, and ends it with
	// its own context.
	Read func(context.Context) (*Report, error)
	// Live and Ready say how the agent is. They are asked for each request, end
	// with its context, and may be called concurrently.
	Live, Ready func(context.Context) Health
	// Own is what the agent itself has of the certificate of an id. It may be
	// called concurrently, and asks nobody else.
	Own func(id string) Own
	// Here looks at the places of the node that have something for the certificate
	// of an id. The Handler runs one at a time, four a second at most, and ends it
	// with its own context.
	Here func(ctx context.Context, id string) (Here, error)
	// Has tells whether the node has such a place, without a look; nil: it may.
	Has func(id string) (node string, yes bool)
	// Responders are how the responders behave that the agent asks. As Own.
	Responders func() Asking
	// History is what is kept of a certificate as evidence: of each place what it
	// had at a moment, or, where that is zero, the newest responses, this many;
	// nil where nothing is kept.
	History func(ctx context.Context, id string, at time.Time, most int) (*History, error)
	// Expected tells whether a Host header is a name of the agent's own; nil: any
	// is. Whoever asks by another one is refused.
	Expected func(host string) bool
	// Metrics answers /v1/metrics; nil: nobody does.
	Metrics http.Handler
}

// Health is whether something is as it should be.
type Health struct {
	OK bool `json:"ok"`
	// Reasons are why it is not, Warnings what should be looked at anyway; a
	// line each.
	Reasons  []string `json:"reasons"`
	Warnings []string `json:"warnings"`
}

// Handler answers what is asked over HTTP: /v1/status, /v1/staples/<id>,
// /v1/truths/<id>, /v1/history/<id>, /v1/nodes, /v1/responders, /v1/health/live,
// /v1/health/ready, /v1/metrics and the page at /. All of it is GET and HEAD and changes nothing. It belongs behind a listener
// with bounds on connections and times. Whatever runs for it ends with ctx.
func Handler(ctx context.Context, o HandlerOptions) http.Handler {
	views := newViews(ctx, o.Read)
	looks := newLooks(ctx, o.Here)
	looks.has = o.Has
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/status", func(w http.ResponseWriter, r *http.Request) {
		if v := views.show(w, r); v != nil {
			v.status().write(w, r, http.StatusOK)
		}
	})
	mux.HandleFunc("/v1/nodes", func(w http.ResponseWriter, r *http.Request) {
		if v := views.show(w, r); v != nil {
			v.nodes().write(w, r, http.StatusOK)
		}
	})
	mux.HandleFunc("/v1/staples/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, ok := idOf(w, r)
		if !ok {
			return
		}
		if v := views.show(w, r); v != nil {
			one, known := v.staple(id)
			if !known {
				fail(w, r, http.StatusNotFound, "nothing is known of this certificate")
				return
			}
			own := o.own(id)
			one.Responders, one.AskedAt, one.AskedNext, one.Verification = own.Responders, own.Asked, own.Next, own.Verification
			encoded(one).write(w, r, http.StatusOK)
		}
	})
	mux.HandleFunc("/v1/truths/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id, ok := idOf(w, r); ok {
			looks.show(w, r, id)
		}
	})
	mux.HandleFunc("/v1/responders", func(w http.ResponseWriter, r *http.Request) {
		if v := views.show(w, r); v != nil {
			v.responders(o.Responders).write(w, r, http.StatusOK)
		}
	})
	if o.History != nil {
		mux.HandleFunc("/v1/history/{id}", history(o.History))
	}
	mux.HandleFunc("/v1/health/live", health(o.Live))
	mux.HandleFunc("/v1/health/ready", health(o.Ready))
	if o.Metrics != nil {
		mux.Handle("/v1/metrics", o.Metrics)
	}
	mux.Handle("/", page())
	return guarded(mux, o.Expected)
}

// idOf is the id in a request's path; without one the request is answered.
func idOf(w http.ResponseWriter, r *http.Request) (id string, ok bool) {
	if id = r.PathValue("id"); !record.ValidID(id) {
		fail(w, r, http.StatusNotFound, "an id is 64 lower-case hex digits: the SHA-256 fingerprint of the certificate")
		return "", false
	}
	return id, true
}

// guarded lets through what only reads, and says to browsers that what comes
// back is nothing to run, to frame, to keep, or to tell others of. The page says
// itself what it needs.
func guarded(h http.Handler, expected func(host string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cache-Control", "no-store")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			fail(w, r, http.StatusMethodNotAllowed, "nothing can be changed here: GET and HEAD only")
			return
		}
		if expected != nil && !expected(r.Host) {
			fail(w, r, http.StatusMisdirectedRequest, "this agent does not go by the name of "+strconv.Quote(r.Host)+
				": ask by its address, or name it in the job file: http { hosts = [...] }")
			return
		}
		h.ServeHTTP(w, r)
	})
}

func health(ask func(context.Context) Health) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := ask(r.Context())
		h.Reasons, h.Warnings = cleanAll(h.Reasons), cleanAll(h.Warnings)
		code := http.StatusOK
		if !h.OK {
			code = http.StatusServiceUnavailable
		}
		encoded(h).write(w, r, code)
	}
}

// fail answers with an error, as JSON like all the rest.
func fail(w http.ResponseWriter, r *http.Request, code int, text string) {
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(keepFailed/time.Second)))
	}
	encoded(struct {
		Error string `json:"error"`
	}{clean(text)}).write(w, r, code)
}

// encoded is v as JSON, in lines as `status -json` prints it.
func encoded(v any) *blob {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		b = []byte(`{"error": "this can't be written as JSON"}`)
	}
	return &blob{plain: append(b, '\n')}
}
