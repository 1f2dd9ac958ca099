package status

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// pageFiles are the page as browsers get it: nothing is built.
//
//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page run its own files, ask this agent, and nothing else;
// no text can become markup in it, even by a mistake of its own.
const pagePolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types feed"

// pageTypes are what a browser is told of a file: not what the machine that the
// agent runs on takes it for.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

// page answers everything that is no endpoint: / and what that page is made of.
func page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "page/index.html"
		}
		kind := pageTypes[path.Ext(name)]
		body, err := fs.ReadFile(pageFiles, name)
		if err != nil || kind == "" {
			fail(w, r, http.StatusNotFound, "nothing is here; there are the page at /, and "+
				"/v1/status, /v1/staples/<id>, /v1/truths/<id>, /v1/history/<id>, /v1/nodes, /v1/responders, /v1/health/live, /v1/health/ready and /v1/metrics")
			return
		}
		w.Header().Set("Content-Security-Policy", pagePolicy)
		(&blob{plain: body, kind: kind}).write(w, r, http.StatusOK)
	})
}
