package responder_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
)

func TestAnAnswerThatIsHeldIsNotSentAgain(t *testing.T) {
	const modified = "Sat, 21 Nov 2026 12:00:00 GMT"
	s, n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Last-Modified", modified)
		w.Header().Set("Cache-Control", "max-age=600")
		if r.Header.Get("If-None-Match") == `"one"` && r.Header.Get("If-Modified-Since") == modified {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		answerTryLater(w, r)
	})
	client := newClient(t, responder.Config{})
	r := responder.Request{URL: s.URL, OCSP: []byte("DER"), Guard: own()}
	first, err := client.Exchange(t.Context(), r)
	if err != nil || first.NotModified || len(first.Body) == 0 {
		t.Fatal(first, err)
	}
	if want := (responder.Validators{ETag: `"one"`, LastModified: modified}); first.Validators != want {
		t.Errorf("validators %+v, want %+v", first.Validators, want)
	}
	r.Held = first.Validators
	second, err := client.Exchange(t.Context(), r)
	if err != nil || !second.NotModified || second.Body != nil || second.WrongType || time.Until(second.FreshUntil) < 5*time.Minute {
		t.Fatalf("%+v, %v", second, err)
	}
	// A POST is no question that a cache could answer.
	r.Method = http.MethodPost
	third, err := client.Exchange(t.Context(), r)
	if err != nil || third.NotModified {
		t.Fatal(third, err)
	}
	if n.String() != "GET GET POST" {
		t.Errorf("requests %s", n)
	}
}

func TestValidatorsThatCannotBeSentBackAreDropped(t *testing.T) {
	for _, tag := range []string{"", "tag", `"`, `"a b"`, `"a"b"`, "\"\x01\"", `w/"a"`} {
		s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["ETag"] = []string{tag}
			w.Header().Set("Last-Modified", "yesterday")
			answerTryLater(w, r)
		})
		a, err := newClient(t, responder.Config{}).Exchange(t.Context(), responder.Request{URL: s.URL, Guard: own()})
		if err == nil && a.Validators != (responder.Validators{}) {
			t.Errorf("%q: %+v", tag, a.Validators)
		}
	}
}

func TestCachesAreToldToAskTheResponder(t *testing.T) {
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s with Cache-Control %q", r.Method, got)
		}
		answerTryLater(w, r)
	})
	client := newClient(t, responder.Config{})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := responder.Request{URL: s.URL, OCSP: []byte("DER"), Method: method, NoCache: true, Guard: own()}
		if _, err := client.Exchange(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}
