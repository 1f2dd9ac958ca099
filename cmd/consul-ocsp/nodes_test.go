package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Status shows of each node what it delivers, and what it has nothing for and
// why; of one whose agent is gone, which of what it delivers is older than what
// is published by now, and that it is stale.
func TestNodesTell(t *testing.T) {
	t.Parallel()
	const shop, dead = "shop.example.test", "dead.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www, shop)
	whole, lacking := c.nodes[0], &node{name: "node-2", dir: t.TempDir()}
	certs := filepath.Join(lacking.dir, "certs")
	copyFolder(t, filepath.Join(whole.dir, "certs"), certs)
	// Nobody listens on this port.
	c.authority.issue(t, certs, testca.IssueOptions{Responders: []string{"http://127.0.0.1:1/"}}, dead)
	c.runNode(t, lacking)

	both := tells{"node-1": {status.OK, 2, 2, 2, 0}, "node-2": {status.Trouble, 3, 2, 2, 0}}
	c.statusHas(t, "what both deliver", func(r *status.Report) error {
		if err := both.in(r); err != nil {
			return err
		}
		if why := troubleOf(r, "node-2", lacking.id(t, dead)); why != "waiting: no verified response yet" {
			return fmt.Errorf("node-2 says of %s: %q", dead, why)
		}
		for _, s := range r.Staples {
			if s.ID == lacking.id(t, dead) && s.State == status.Missing && strings.Contains(s.Error, "connection refused") {
				return nil
			}
		}
		return fmt.Errorf("nothing says why %s is missing: %+v", dead, r.Staples)
	})

	whole.agent.kill()
	c.authority.revoke(t, www)
	if out, code := consulOCSP(t, "fetch", "-force", "-name=edge/"+www, "-config-file="+c.job); code != exitOK {
		t.Fatalf("fetch -force ends with %d:\n%s", code, out)
	}
	stapled(t, lacking.haproxy.Address(), www, "revoked")
	both["node-1"] = told{status.OK, 2, 2, 1, 1}
	c.statusHas(t, "what is behind", both.in)

	i := intruder{t, c}
	var record map[string]any
	if err := json.Unmarshal(i.get("node/node-1"), &record); err != nil {
		t.Fatal(err)
	}
	record["seen"] = time.Now().Add(-6 * time.Minute).UTC()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	i.put("node/node-1", text)
	both["node-1"] = told{status.Stale, 2, 2, 1, 1}
	c.statusHas(t, "the stale node", both.in)
	c.statusIs(t, "3 nodes: 1 stale, 1 trouble, 1 ok")
}

// tells is what status shows of nodes, by name.
type tells map[string]told

type told struct {
	state                                 string
	certificates, stapled, current, older int
}

func (w tells) in(r *status.Report) error {
	seen := 0
	for _, n := range r.Nodes {
		want, ok := w[n.Node]
		if !ok {
			continue
		}
		seen++
		if got := (told{n.State, n.Certificates, n.Stapled, n.Current, n.Older}); got != want {
			return fmt.Errorf("%s tells %+v, not %+v: %+v", n.Node, got, want, n.Troubles)
		}
	}
	if seen != len(w) {
		return fmt.Errorf("%d of %d nodes", seen, len(w))
	}
	return nil
}
