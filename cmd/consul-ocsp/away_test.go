package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// A node that was away while publications were made takes what it missed, be
// they so few that the log has them all, or so many that it has gone round, or
// with a hole in it; what the node holds besides stays.
func TestNodeWasAway(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	clock := newOneAnswer(30 * time.Minute)
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{Now: clock.now}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	c.fetcher.stop(t, syscall.SIGTERM)
	n, i := c.nodes[0], intruder{t, c}
	_, shaken := shake(t, c, www, shop)
	cert, same := issuedAs(t, c, []string{www})[www], n.response(t, shop)
	again := func() {
		t.Helper()
		meta, err := record.DecodeMeta(i.get("meta/" + n.id(t, shop)))
		if err != nil {
			t.Fatal(err)
		}
		i.publish(n.id(t, shop), same, meta.ThisUpdate)
	}
	for _, missed := range []struct {
		name         string
		publications int
		damage       func()
		age          time.Duration // of the response that is among them
		whole        bool
	}{
		{"the log has all", 5, func() {}, 20 * time.Minute, true},
		{"the log went round", record.Slots + 10, func() { i.delete("log/" + record.Slot(40)) }, 10 * time.Minute, false},
	} {
		before, newer := n.response(t, www), c.authority.answer(t, cert, missed.age, false)
		n.signal(t, syscall.SIGSTOP)
		// The first one is told to the agent while it is stopped: it asked before.
		again()
		i.publish(n.id(t, www), newer, time.Now().Add(-missed.age))
		for range missed.publications - 2 {
			again()
		}
		missed.damage()
		n.signal(t, syscall.SIGCONT)
		n.replaced(t, www, before)
		if !bytes.Equal(n.response(t, www), newer) {
			t.Errorf("%s: it has another response", missed.name)
		}
		n.unchanged(t, shop, same)
		if compared := strings.Contains(n.agent.log.String(), "publications were missed"); compared == missed.whole {
			t.Errorf("%s: it compared all it has: %t", missed.name, compared)
		}
	}
	shaken()
}

func (n *node) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := n.agent.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// An agent that starts with a full disk asks Consul only for the metas of what it
// has; for a response when that is published anew.
func TestNodeStartsWithFullDisk(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	clock := newOneAnswer(10 * time.Minute)
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{Now: clock.now}))
	asked := &logged{}
	c.addresses = map[string]string{"node-1": newWay(t, c.consul.Address(), func(w http.ResponseWriter, r *http.Request, _ bool, real http.Handler) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, _ = asked.Write(append([]byte(r.URL.Path+"\n"), body...))
		real.ServeHTTP(w, r)
	})}
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www, shop)
	c.served(t, www, "good")
	c.served(t, shop, "good")
	n := c.nodes[0]
	n.agent.kill()
	before := len(asked.String())
	n.start(t)
	times := func(key, name string) int {
		return strings.Count(asked.String()[before:], "/v1/"+key+"/"+n.id(t, name))
	}
	eventually(t, "the question for metas", func() error {
		if times("meta", www) == 0 || times("meta", shop) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	clock.back.Store(0)
	old := n.response(t, www)
	if out, code := consulOCSP(t, "fetch", "-force", "-name=edge/"+www, "-config-file="+c.job); code != exitOK {
		t.Fatalf("fetch -force ends with %d:\n%s", code, out)
	}
	n.replaced(t, www, old)
	if first, second := times("der", www), times("der", shop); first != 1 || second != 0 {
		t.Errorf("it asked %d times for the response that was published anew, %d times for the other; want once and never", first, second)
	}
}
