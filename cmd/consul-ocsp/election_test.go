package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
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
// by a machine that hangs, finds another one leading when it goes on, and
// writes nothing. Both have something to publish every second.
func TestLeaderHangs(t *testing.T) {
	t.Parallel()
	e := newElectorate(t, "min_delay = \"1s\"\n  max_delay = \"1s\"", nil)
	a, audited := audit(t, []string{e.id}, e.consul.Client())
	a.progress(t, 2)
	if err := e.leader.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e.other.says(t, "this agent leads")
	a.progress(t, 2)
	session := e.lock(t).Session
	if err := e.leader.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	e.leader.says(t, "no longer the leader")
	a.progress(t, 2)
	audited()
	if now := e.lock(t).Session; now != session {
		t.Errorf("the lock went from session %s to %s", session, now)
	}
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
	real := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: consul})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	real.Transport = transport
	real.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	var seen atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte(`/v1/head"`)) || seen.Add(1)%2 == 0 {
			real.ServeHTTP(w, r)
			return
		}
		if cut.Add(1)%2 == 0 {
			real.ServeHTTP(httptest.NewRecorder(), r)
		}
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
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
