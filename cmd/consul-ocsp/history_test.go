package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// historyOf waits until the history that command prints has nothing that check
// objects to.
func historyOf(t *testing.T, job, name string, check func(*status.History) error) *status.History {
	t.Helper()
	var h *status.History
	eventually(t, "history of "+name, func() error {
		cmd := exec.Command("consul-ocsp", "history", "-json", "-config-file="+job, name)
		cmd.Env = cleanEnvironment()
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		h = &status.History{}
		if err := json.Unmarshal(out, h); err != nil {
			return err
		}
		return check(h)
	})
	return h
}

// hows are the ways by which a response got to places.
func hows(r status.KeptResponse) string {
	var list []string
	for _, s := range r.Stapled {
		list = append(list, s.Node+" "+s.How)
	}
	return strings.Join(list, ", ")
}

// What an agent alone keeps: each response, since when file and HAProxy have it,
// no more than the job file says, and openssl agrees with all of it.
func TestHistoryAlone(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	a := newAuthority(t, testca.ResponderOptions{})
	n := newAlone(t, a, haproxytest.Options{}, www)
	n.edit(t, "job \"edge\" {", httpBlock(n.dir, "")+"node_name = \"alone\"\njob \"edge\" {\n  fetch {\n    history = 2\n  }")
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	places := func(want int) func(h *status.History) error {
		return func(h *status.History) error {
			if h.Kept != want || len(h.Responses) != want || len(h.Responses[0].Stapled) != 2 || !h.Responses[0].Verified {
				return fmt.Errorf("%+v", h)
			}
			return nil
		}
	}
	first := historyOf(t, n.job, "edge/"+www, places(1)).Responses[0]
	if first.Status != "good" || first.Responder != a.url+"/" && first.Responder != a.url || hows(first) != "alone file, alone set" && hows(first) != "alone set, alone file" && hows(first) != "alone file, alone transaction" {
		t.Errorf("%q by %q: %s", first.Status, first.Responder, hows(first))
	}
	force := func() {
		t.Helper()
		if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+n.job); code != exitOK {
			t.Fatalf("fetch ends with %d:\n%s", code, out)
		}
	}
	a.revoke(t, www)
	force()
	h := historyOf(t, n.job, www, places(2))
	if got := h.Responses[0]; got.Status != "revoked" || got.RevokedAt.IsZero() || h.Responses[1].SHA256 != first.SHA256 {
		t.Errorf("%+v", h)
	}
	opensslVerifies(t, n.dir, h)
	overHTTP := status.History{}
	text := answers(t, overSocket(n.dir, nil), "/v1/history/"+h.ID+"?limit=1", 200, `"produced_at"`, `"status": "revoked"`)
	if err := json.Unmarshal([]byte(text), &overHTTP); err != nil || !reflect.DeepEqual(overHTTP.Responses, h.Responses[:1]) || overHTTP.Kept != 2 {
		t.Errorf("over HTTP: %+v, %v", overHTTP, err)
	}

	// What was stapled before the revocation, and before everything.
	then := h.Responses[0].Stapled[0].At.Add(-time.Nanosecond)
	if out, code := consulOCSP(t, "history", "-config-file="+n.job, "-at="+then.Format(time.RFC3339Nano), www); code != exitOK || !strings.Contains(out, "GOOD  ") || strings.Contains(out, "REVOKED") {
		t.Errorf("-at=%v ends with %d:\n%s", then, code, out)
	}
	if out, code := consulOCSP(t, "history", "-config-file="+n.job, "-at=2020-01-01T00:00:00Z", www); code != exitFailed || !strings.Contains(out, "nothing is noted") {
		t.Errorf("of years ago: ends with %d:\n%s", code, out)
	}

	out, code := consulOCSP(t, "history", "-config-file="+n.job, staple.ID(a.last.Leaf)[:12])
	for _, want := range []string{"certificate edge/" + www, "REVOKED  ", "GOOD  ", "alone  file\n              " + n.file(www)} {
		if !strings.Contains(out, want) || code != exitOK {
			t.Errorf("ends with %d and lacks %q:\n%s", code, want, out)
		}
	}

	// A history that can't be written shows.
	folder := filepath.Dir(h.Responses[0].File)
	if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the trouble of a newer response", func() error {
		force()
		_, text, err := page(overSocket(n.dir, nil), "/v1/metrics")
		if !strings.Contains(text, `consul_ocsp_node_troubles{reason="history"} 1`) {
			return fmt.Errorf("%v: %s", err, text)
		}
		return nil
	})
	answers(t, overSocket(n.dir, nil), "/v1/status", 200, `"reason": "history"`, folder)
}

// opensslVerifies has openssl check each response of a history with nothing but
// what is in the folder of the history.
func opensslVerifies(t *testing.T, dir string, h *status.History) {
	t.Helper()
	for _, r := range h.Responses {
		der := filepath.Join(t.TempDir(), "response.der")
		if err := os.WriteFile(der, r.DER, 0o600); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(r.File)
		split := exec.Command("sh", "-c", `openssl x509 -in certificate.pem -out "$1/leaf.pem" && sed '1,/-----END/d' certificate.pem >"$1/issuer.pem"`, "sh", dir)
		split.Dir = folder
		if out, err := split.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		out, err := exec.Command("openssl", "ocsp", "-respin", der, "-issuer", dir+"/issuer.pem", "-cert", dir+"/leaf.pem", "-CAfile", dir+"/issuer.pem",
			"-no_nonce", "-attime", strconv.FormatInt(r.ProducedAt.Unix(), 10), "-validity_period", "40000000").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Response verify OK") || !strings.Contains(string(out), "leaf.pem: "+r.Status) {
			t.Errorf("openssl: %v: %s", err, out)
		}
	}
}

// What the agent that fetches keeps of two nodes: one that keeps a history tells
// its own times, of the other there is since when its record shows the response;
// and each node has its own. What is damaged is named, and hides nothing else.
func TestHistoryOfTwoNodes(t *testing.T) {
	t.Parallel()
	const www = "www.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "history = 3")
	c.addNodes(t, 2, testca.IssueOptions{}, www)
	one := c.nodes[0]
	one.edit(t, "job \"edge\" {", "fetch {\n  history = 2\n}\njob \"edge\" {")
	one.hup(t)
	c.served(t, www, "good")
	id := staple.ID(c.authority.last.Leaf)
	historyOf(t, one.job, id, func(h *status.History) error {
		if len(h.Responses) != 1 || len(h.Responses[0].Stapled) != 2 || h.Serial == "" {
			return fmt.Errorf("%+v", h)
		}
		return nil
	})
	c.authority.revoke(t, www)
	if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+c.job); code != exitOK {
		t.Fatalf("fetch ends with %d:\n%s", code, out)
	}
	c.served(t, www, "revoked")
	own := historyOf(t, one.job, id, func(h *status.History) error {
		if len(h.Responses) != 2 || h.Responses[0].Status != "revoked" || len(h.Responses[0].Stapled) != 2 {
			return fmt.Errorf("%+v", h)
		}
		return nil
	}).Responses[0]
	if own.Published.IsZero() || own.Stapled[0].At.Before(own.Published.Add(-time.Second)) || hows(own) != "node-1 file, node-1 set" {
		t.Errorf("%s: published %v", hows(own), own.Published)
	}
	h := historyOf(t, c.job, www, func(h *status.History) error {
		if len(h.Responses) != 2 || !strings.Contains(hows(h.Responses[1]), "node-1 told") || !strings.Contains(hows(h.Responses[0]), "node-1 told") || !strings.Contains(hows(h.Responses[0]), "node-2 seen") {
			return fmt.Errorf("%+v", h)
		}
		return nil
	})
	opensslVerifies(t, t.TempDir(), h)
	for _, s := range h.Responses[0].Stapled {
		if s.How == "told" && s.At.Sub(own.Stapled[1].At.Truncate(time.Second)).Abs() > time.Second {
			t.Errorf("node-1 told %v, and has %v", s.At, own.Stapled[1].At)
		}
	}
	// It needs no agent and no Consul to be shown.
	c.fetcher.kill()
	c.historyShowsDamage(t, h)
}

// historyShowsDamage spoils the newest response of the fetching agent's history.
func (c *cluster) historyShowsDamage(t *testing.T, h *status.History) {
	t.Helper()
	newest := h.Responses[0]
	newest.DER[len(newest.DER)-9] ^= 1
	if err := os.WriteFile(newest.File, newest.DER, 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := consulOCSP(t, "history", "-config-file="+c.job, h.ID)
	for _, want := range []string{"NOT VERIFIED", "GOOD  ", "wrong: " + newest.File, "damaged"} {
		if code != exitFailed || !strings.Contains(out, want) {
			t.Errorf("ends with %d and lacks %q:\n%s", code, want, out)
		}
	}
	then := h.Responses[1].Stapled[0].At.Add(time.Second).Format(time.RFC3339)
	if out, code := consulOCSP(t, "history", "-config-file="+c.job, "-at="+then, h.ID); !strings.Contains(out, "GOOD  ") || code != exitFailed {
		t.Errorf("-at=%s ends with %d:\n%s", then, code, out)
	}
}
