package status

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// shown is a handler of this snapshot.
func shown(t *testing.T, s *record.Snapshot) http.Handler {
	t.Helper()
	return Handler(t.Context(), HandlerOptions{
		Read: func(context.Context) (*Report, error) { return FromSnapshot(s, noon), nil },
		Live: func(context.Context) Health { return Health{OK: true} },
		Own: func(string) Own {
			v := Verification{Node: "haproxy-1\u202e"}
			v.Judge([]byte("DER"), []staple.Step{{Name: "encoding", Result: staple.StepOK, Detail: "3 bytes \x1b[2J"}, {Name: "signer", Result: staple.StepNotReached}})
			return Own{Responders: []string{"ocsp.example.net"}, Asked: noon.Add(-time.Minute), Next: noon.Add(time.Hour), Verification: v}
		},
		Responders: func() Asking {
			r := NewResponders()
			r.Exchanged("ocsp.example.net", "timeout", 10*time.Second, noon.Add(-time.Hour))
			r.Exchanged("ocsp.example.net", "", 40*time.Millisecond, noon.Add(-time.Minute))
			return Asking{Node: "fetch-1\x1b", Fetches: true, Responders: r.List()}
		},
		Here: func(_ context.Context, id string) (Here, error) {
			if id != strings.Repeat("2", 64) {
				return NewHere("haproxy-1", noon, nil), nil
			}
			return NewHere("haproxy-1", noon, []Truths{{ID: id, Job: "edge", Name: "www", Truths: []Truth{
				{Place: "file", Says: "good", ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(time.Hour), SHA256: id},
				{Place: "client", Says: "error", Error: "refused\x1b[2J"},
			}}}), nil
		},
		Ready:   func(context.Context) Health { return Health{Reasons: []string{"revoked\x1b[2J"}} },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }),
	})
}

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	return ask(h, http.MethodGet, path, header...)
}

func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	h := shown(t, cluster())
	for path, code := range map[string]int{
		"/v1/status": 200, "/v1/nodes": 200, "/v1/responders": 200, "/v1/truths/" + id("2"): 200, "/v1/truths/" + id("3"): 404, "/v1/truths/x": 404, "/v1/staples/" + id("2"): 200, "/v1/metrics": 200,
		"/v1/health/live": 200, "/v1/health/ready": 503,
		"/v1/staples/" + id("e"): 404, "/v1/staples/" + id("E"): 404, "/v1/staples/..%2f..%2fetc": 404, "/v1/staples/": 404, "/nothing": 404,
	} {
		w := get(h, path)
		if w.Code != code {
			t.Errorf("%s: %d, want %d: %s", path, w.Code, code, w.Body)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
		if !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s may be framed", path)
		}
		if path != "/v1/metrics" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: no JSON: %s", path, w.Body)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			if w := ask(h, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
		if head := ask(h, "HEAD", path); head.Code != code {
			t.Errorf("HEAD %s: %d", path, head.Code)
		}
	}
	var want bytes.Buffer
	if err := FromSnapshot(cluster(), noon).WriteJSON(&want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.String(), get(h, "/v1/status").Body.String()); d != "" {
		t.Errorf("/v1/status is not what status -json prints:\n%s", d)
	}
	if got := get(h, "/v1/health/ready").Body.String(); !strings.Contains(got, `"revoked?[2J"`) || !strings.Contains(got, `"warnings": []`) {
		t.Errorf("/v1/health/ready: %s", got)
	}
	golden(t, "nodes.json", get(h, "/v1/nodes").Body.Bytes())
	golden(t, "responders.json", get(h, "/v1/responders").Body.Bytes())
	golden(t, "truths.json", get(h, "/v1/truths/"+id("2")).Body.Bytes())
	golden(t, "staple.json", get(h, "/v1/staples/"+id("2")).Body.Bytes())
}

func TestHandlerCompresses(t *testing.T) {
	h := shown(t, cluster())
	plain := get(h, "/v1/status").Body.String()
	for accept, compressed := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "*": true, "gzip;q=1.0": true,
		"": false, "br": false, "gzip;q=0": false, "gzip; q=0.000": false,
	} {
		w := get(h, "/v1/status", "Accept-Encoding", accept)
		body := io.Reader(w.Body)
		if compressed != (w.Header().Get("Content-Encoding") == "gzip") {
			t.Errorf("%q: Content-Encoding %q", accept, w.Header().Get("Content-Encoding"))
			continue
		}
		if compressed {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != plain {
			t.Errorf("%q: another answer, %v", accept, err)
		}
	}
}

// What records hold can't leave the JSON that it is shown in.
func TestHandlerShowsHostileText(t *testing.T) {
	h := shown(t, hostile())
	for _, path := range []string{"/v1/status", "/v1/nodes", "/v1/staples/" + id("1")} {
		body := get(h, path).Body.String()
		if !json.Valid([]byte(body)) {
			t.Errorf("%s: no JSON", path)
		}
		for _, c := range body {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Errorf("%s: %U in it", path, c)
			}
		}
	}
}

// Whoever asks by another name than the agent's own is told nothing.
func TestHandlerIsAskedByItsName(t *testing.T) {
	h := Handler(t.Context(), HandlerOptions{
		Read:     func(context.Context) (*Report, error) { return FromSnapshot(calm(), noon), nil },
		Expected: func(host string) bool { return host == "node1:8509" },
	})
	for host, code := range map[string]int{"node1:8509": 200, "evil.example": 421, "\x1b[2J": 421} {
		for _, path := range []string{"/", "/v1/status", "/v1/staples/" + id("1")} {
			r, w := httptest.NewRequest(http.MethodGet, path, nil), httptest.NewRecorder()
			r.Host = host
			h.ServeHTTP(w, r)
			if w.Code != code || code == 421 && (strings.Contains(w.Body.String(), "www") || !strings.Contains(w.Body.String(), "hosts = [") || strings.Contains(w.Body.String(), "\x1b")) {
				t.Errorf("%q %s: %d %s", host, path, w.Code, w.Body)
			}
		}
	}
}

// Of each node there is what it says of the certificate, and no other node.
func TestStapleOfNodes(t *testing.T) {
	s := calm()
	s.Nodes = map[string]record.Node{
		"a": node("a", time.Minute, func(n *record.Node) {
			n.Applied = []record.Applied{applied("1", 12*time.Hour), applied("1", 13*time.Hour)}
		}),
		"b": node("b", time.Minute, func(n *record.Node) { n.Applied = []record.Applied{applied("1", 5*day)} }),
		"c": node("c", time.Minute, func(n *record.Node) {
			n.Trouble, n.Troubles = []record.NodeTrouble{{ID: id("1"), Reason: "socket"}, {ID: id("2"), Reason: "other"}}, 2
		}),
		"d": node("d", time.Minute, nil),
	}
	var got struct {
		Nodes []stapleNode `json:"nodes"`
	}
	if err := json.Unmarshal(get(shown(t, s), "/v1/staples/"+id("1")).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, n := range got.Nodes {
		said[n.Node] = n.Delivers
		if len(n.Troubles) == 1 {
			said[n.Node] += n.Troubles[0].Reason
		}
	}
	if d := cmp.Diff(map[string]string{"a": "current", "b": "older", "c": "socket"}, said); d != "" {
		t.Error(d)
	}
}
