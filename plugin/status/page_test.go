package status

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The page is as strict as its policy says, and made of nothing but its files.
func TestPageFiles(t *testing.T) {
	h := shown(t, cluster())
	index := get(h, "/")
	if index.Code != http.StatusOK || index.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", index.Code, index.Header())
	}
	for path, kind := range map[string]string{
		"/": "text/html", "/page/page.css": "text/css", "/page/app.js": "text/javascript", "/page/feed.js": "text/javascript",
		"/page/preact/standalone.module.js": "text/javascript",
	} {
		w := get(h, path)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		policy := w.Header().Values("Content-Security-Policy")
		if len(policy) != 1 || !strings.Contains(policy[0], "default-src 'none'") || strings.Contains(policy[0], "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: types are guessed", path)
		}
		if elsewhere := regexp.MustCompile("(src|href|from|import|url)[ =('\"`]{1,3}(https?:)?//").FindString(w.Body.String()); elsewhere != "" {
			t.Errorf("%s asks elsewhere: %s", path, elsewhere)
		}
	}
	if body := index.Body.String(); regexp.MustCompile(`(?i)<style|\son\w+=|style=|<script[^>]*>[^<]`).MatchString(body) {
		t.Errorf("something inline, which the policy forbids:\n%s", body)
	}
	for _, path := range []string{"/page", "/page/", "/page/preact", "/page/preact/LICENSE-htm", "/page/../page.go", "/page//app.js", "/page.go", "/index.html"} {
		if w := get(h, path); w.Code == http.StatusOK {
			t.Errorf("%s is shown", path)
		}
	}
}
