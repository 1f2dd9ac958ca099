package status

import "net/http"

// page answers everything that is no endpoint.
func page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, http.StatusNotFound,
			"nothing is here; there are /v1/status, /v1/staples/<id>, /v1/nodes, /v1/health/live, /v1/health/ready and /v1/metrics")
	})
}
