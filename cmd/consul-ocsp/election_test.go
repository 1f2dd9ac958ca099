package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// electorate is a cluster with two agents that fetch, of which the first leads.
type electorate struct {
	*cluster
	leader, other *running
	id            string
}

// newElectorate starts it; fetch are attributes for the fetch blocks.
func newElectorate(t *testing.T, fetch string, edit func(c *cluster)) *electorate {
	t.Helper()
	e := &electorate{cluster: newCluster(t, newAuthority(t, testca.ResponderOptions{}))}
	if edit != nil {
		edit(e.cluster)
	}
	e.leader = e.startFetcher(t, "fetcher-1", fetch)
	e.leader.says(t, "this agent leads")
	e.other = e.startFetcher(t, "fetcher-2", fetch)
	e.addNodes(t, 1, testca.IssueOptions{}, www)
	e.served(t, www, "good")
	e.id = staple.ID(issuedAs(t, e.cluster, []string{www})[www].Leaf)
	return e
}

// lock is v1/leader.
func (c *cluster) lock(t *testing.T) *api.KVPair {
	t.Helper()
	pair, _, err := c.consul.Client().KV().Get("consul-ocsp/v1/leader", nil)
	if err != nil || pair == nil {
		t.Fatalf("v1/leader: %v, %v", pair, err)
	}
	return pair
}

// goesOn checks that the other agent leads, has asked for nothing that was
// published, and fetches what is new.
func (e *electorate) goesOn(t *testing.T, asked int64) {
	t.Helper()
	e.other.says(t, "this agent leads")
	const late = "late.example.test"
	e.authority.issue(t, e.nodes[0].dir+"/more", testca.IssueOptions{}, late)
	copyFolder(t, e.nodes[0].dir+"/more", e.nodes[0].dir+"/certs")
	eventually(t, "a response for "+late, func() error {
		if got := e.authority.requests.Load(); got == asked {
			return fmt.Errorf("the responder was not asked")
		}
		return nil
	})
	eventually(t, "file of "+late, func() error { return e.nodes[0].hasFile(late) })
	e.asked(t, asked+1)
}

func (n *node) hasFile(name string) error {
	_, err := os.Stat(n.file(name))
	return err
}

// An agent that is told to end gives its lock back first: the next one neither
// waits for the session's end nor for the lock delay, which are long here.
func TestLeaderEnds(t *testing.T) {
	t.Parallel()
	e := newElectorate(t, "", func(c *cluster) { c.sessions = "session_ttl = \"1h\"\n  lock_delay  = \"1m\"" })
	before, asked := e.lock(t), e.authority.requests.Load()
	if code := e.leader.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("it ends with %d", code)
	}
	// Not left for later: nothing of it is there when the process has ended.
	if after := e.lock(t); after.Session == before.Session {
		t.Errorf("the lock is still that of session %s", after.Session)
	}
	if session, _, err := e.consul.Client().Session().Info(before.Session, nil); err != nil || session != nil {
		t.Errorf("its session: %v, %v", session, err)
	}
	e.goesOn(t, asked)
}

// An agent that is killed is followed by another when Consul has ended its
// session, and nothing that is fresh is fetched again.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	e := newElectorate(t, "", nil)
	asked := e.authority.requests.Load()
	a, audited := audit(t, []string{e.id}, e.consul.Client())
	a.progress(t, 1)
	e.leader.kill()
	e.goesOn(t, asked)
	audited()
}

// An agent that is stopped in its tracks for longer than its session lives, as
// by a machine that hangs, finds another one leading when it goes on. Before it
// can know that, it tries to publish what it has fetched, and nothing of it is
// written. Both have something to publish every second.
func TestLeaderHangs(t *testing.T) {
	t.Parallel()
	hangs := &hanging{tried: make(chan struct{})}
	e := newElectorate(t, "min_delay = \"1s\"\n  max_delay = \"1s\"", func(c *cluster) {
		c.addresses = map[string]string{"fetcher-1": newWay(t, c.consul.Address(), hangs.pass)}
	})
	a, audited := audit(t, []string{e.id}, e.consul.Client())
	a.progress(t, 2)
	if err := e.leader.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e.other.says(t, "this agent leads")
	a.progress(t, 2)
	session, written := e.lock(t).Session, hangs.written.Load()
	if written == 0 {
		t.Error("it published nothing before")
	}
	hangs.unaware.Store(true)
	if err := e.leader.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	e.leader.says(t, "no longer the leader")
	a.progress(t, 2)
	audited()
	if now := e.lock(t).Session; now != session {
		t.Errorf("the lock went from session %s to %s", session, now)
	}
	if n := hangs.written.Load() - written; n != 0 || hangs.refused.Load() == 0 {
		t.Errorf("when it went on %d publications of it were written, %d refused; want none and some", n, hangs.refused.Load())
	}
}

// hanging is what an agent writes to Consul while it leads, and when it hung.
type hanging struct {
	// unaware keeps from it what Consul says of its session and its lock, until
	// it has tried to publish.
	unaware          atomic.Bool
	tried            chan struct{}
	once             sync.Once
	written, refused atomic.Int64
}

func (h *hanging) pass(w http.ResponseWriter, r *http.Request, publishes bool, real http.Handler) {
	if !publishes {
		path := r.URL.Path
		if h.unaware.Load() && (strings.HasSuffix(path, "/v1/leader") || strings.Contains(path, "/v1/session/renew/")) {
			select {
			case <-h.tried:
			case <-r.Context().Done():
			}
		}
		real.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	real.ServeHTTP(answer, r)
	switch {
	case answer.Code == http.StatusOK:
		h.written.Add(1)
	case answer.Code == http.StatusConflict && h.unaware.Load():
		h.refused.Add(1)
	}
	if h.unaware.Load() {
		h.once.Do(func() { close(h.tried) })
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// Each publication whose answer is lost, because the connection ends when
// Consul has done its work or before it begins, is made once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	var cut atomic.Int64
	e := newElectorate(t, "min_delay = \"1s\"\n  max_delay = \"1s\"", func(c *cluster) {
		c.addresses = map[string]string{"fetcher-1": newCutter(t, c.consul.Address(), &cut)}
	})
	e.other.kill()
	a, audited := audit(t, []string{e.id}, e.consul.Client())
	eventually(t, "lost answers", func() error {
		if n := cut.Load(); n < 6 {
			return fmt.Errorf("%d so far", n)
		}
		return nil
	})
	a.progress(t, 1)
	audited()
	if n := strings.Count(e.leader.log.String(), "this agent leads"); n != 1 {
		t.Errorf("it led %d times", n)
	}
}

// newCutter is before Consul, and ends the connection of every other publication
// without an answer: by turns when Consul has answered, and before it is asked.
func newCutter(t *testing.T, consul string, cut *atomic.Int64) string {
	t.Helper()
	var seen atomic.Int64
	return newWay(t, consul, func(w http.ResponseWriter, r *http.Request, publishes bool, real http.Handler) {
		if !publishes || seen.Add(1)%2 == 0 {
			real.ServeHTTP(w, r)
			return
		}
		if cut.Add(1)%2 == 0 {
			real.ServeHTTP(httptest.NewRecorder(), r)
		}
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
	})
}

// newWay is an address that leads to Consul by pass, which is told whether a
// request is a publication.
func newWay(t *testing.T, consul string, pass func(w http.ResponseWriter, r *http.Request, publishes bool, real http.Handler)) string {
	t.Helper()
	real := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: consul})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	real.Transport = transport
	real.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		pass(w, r, bytes.Contains(body, []byte(`"check-session"`)) && bytes.Contains(body, []byte(`/v1/head"`)), real)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.Listener.Addr().String()
}

// An agent that writes an older format than the cluster's records have does not
// lead, now or later, and says so.
func TestOlderFormat(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	i := intruder{t, c}
	newer := fmt.Appendf(nil, "%d", record.Format+1)
	i.put("format", newer)
	c.startFetcher(t, "fetcher", "").says(t, fmt.Sprintf("the cluster's records have format %d", record.Format+1))
	if out, code := consulOCSP(t, "fetch", "-config-file="+c.job); code != exitFailed || !strings.Contains(out, "it does not lead") {
		t.Errorf("fetch ends with %d:\n%s", code, out)
	}
	if i.get("leader") != nil || string(i.get("format")) != string(newer) {
		t.Error("it has written to v1/leader or v1/format")
	}
	if i.get("head") != nil {
		t.Error("it has published")
	}
}
