package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// lie is a response that must not be delivered, and the word for why.
type lie struct {
	reason string
	der    []byte
}

// lies are one of each kind for a certificate.
func lies(t *testing.T, a *authority, about, other *testca.Issued) []lie {
	t.Helper()
	stranger := initCA(t)
	now := time.Now()
	respond := func(ca *testca.CA, answer testca.Answer) []byte {
		der, err := ca.Respond(answer)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	noise := make([]byte, 900)
	rand.Read(noise)
	good := testca.Answer{Status: ocsp.Good, Serial: about.Serial, ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour)}
	old, elsewhere, forged := good, good, good
	old.ThisUpdate = now.Add(-2 * time.Hour)
	elsewhere.Serial = other.Serial
	forged.Issuer = a.Certificate()
	return []lie{
		{"older", respond(a.CA, old)},
		{"signature", respond(stranger, forged)},
		{"serial", respond(a.CA, elsewhere)},
		{"malformed", noise},
	}
}

// Whoever can write to Consul can make no node serve what is old, forged,
// another's or no response, whatever the record beside it says; the next leader
// mends it.
func TestHostileResponses(t *testing.T) {
	t.Parallel()
	names := []string{"a.example.test", "b.example.test", "c.example.test", "d.example.test"}
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, names...)
	n := c.nodes[0]
	for _, name := range names {
		c.served(t, name, "good")
	}
	c.fetcher.stop(t, syscall.SIGTERM)
	i := intruder{t, c}
	before := map[string][]byte{}
	for _, name := range names {
		before[name] = n.response(t, name)
	}
	about := issuedAs(t, c, names)
	for round, claim := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)} {
		reasons := map[string]string{}
		for at, name := range names {
			cert := about[name]
			id := staple.ID(cert.Leaf)
			l := lies(t, c.authority, cert, about[names[(at+1)%len(names)]])[(at+round)%len(names)]
			i.publish(id, l.der, claim)
			n.refuses(t, id, l)
			n.unchanged(t, name, before[name])
			reasons[id] = l.reason
		}
		for id, reason := range reasons {
			n.reports(t, i, id, reason)
		}
	}

	// The leader returns: what it has is published again, without a request.
	asked := c.authority.requests.Load()
	c.leadAgain(t)
	for _, name := range names {
		id := staple.ID(about[name].Leaf)
		i.holds(id, before[name])
		n.reports(t, i, id, "")
		n.unchanged(t, name, before[name])
	}
	c.asked(t, asked)
	c.authority.revoke(t, names[0])
	c.hurry(t)
	c.served(t, names[0], "revoked")
	c.served(t, names[1], "good")
}

// issuedAs are the certificates of a cluster by name.
func issuedAs(t *testing.T, c *cluster, names []string) map[string]*testca.Issued {
	t.Helper()
	all := map[string]*testca.Issued{}
	for _, name := range names {
		text, err := os.ReadFile(c.nodes[0].certificate(name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := staple.ParseBundle(text)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &testca.Issued{Name: name, Leaf: b.Leaf, Serial: b.Leaf.SerialNumber}
	}
	return all
}

// refuses waits until the node's agent says that it refused l, and why.
func (n *node) refuses(t *testing.T, id string, l lie) {
	t.Helper()
	sum := record.Checksum(l.der)
	eventually(t, n.name+" refuses "+l.reason, func() error {
		for line := range strings.Lines(n.agent.log.String()) {
			if strings.Contains(line, sum) && strings.Contains(line, id) && strings.Contains(line, "refused") {
				if !strings.Contains(line, "reason="+l.reason+" ") {
					t.Fatalf("refused for another reason than %s: %s", l.reason, line)
				}
				return nil
			}
		}
		return fmt.Errorf("no line about %s", sum)
	})
}

// reports waits until the node's record in Consul has this trouble with the
// certificate; "": none.
func (n *node) reports(t *testing.T, i intruder, id, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s reports %q", n.name, reason), func() error {
		r, err := record.DecodeNode(n.name, i.get("node/"+n.name))
		if err != nil {
			return err
		}
		got := ""
		for _, trouble := range r.Trouble {
			if trouble.ID == id {
				got = trouble.Reason
			}
		}
		if got != reason {
			return fmt.Errorf("it reports %q", got)
		}
		return nil
	})
}

// The tree in Consul may be damaged in any way: nothing that is delivered goes,
// and a leader makes it whole again.
func TestHostileTree(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		leading bool // while an agent leads
		damage  func(i intruder)
	}{
		{"head", false, func(i intruder) {
			i.put("head", []byte("garbage\x00\xff"))
			i.c.nodes[0].agent.says(i.t, "waiting for the leader to publish again")
			i.put("head", []byte(strings.Repeat("9 a b\n", 80000)))
			i.put("head", []byte("9007199254740993 a -\n"))
			i.delete("head")
		}},
		{"everything", false, func(i intruder) { i.delete("") }},
		{"everything beside a leader", true, func(i intruder) { i.delete("") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
			c.startFetcher(t, "fetcher", "")
			c.addNodes(t, 1, testca.IssueOptions{}, www)
			c.served(t, www, "good")
			n := c.nodes[0]
			before, id := n.response(t, www), staple.ID(issuedAs(t, c, []string{www})[www].Leaf)
			if !test.leading {
				c.fetcher.stop(t, syscall.SIGTERM)
			}
			i := intruder{t, c}
			_, shaken := shake(t, c, www)
			test.damage(i)
			n.unchanged(t, www, before)

			// What is still good is published again, without a request.
			if !test.leading {
				c.leadAgain(t)
			}
			i.holds(id, before)
			c.asked(t, 1)
			n.unchanged(t, www, before)
			shaken()
			c.authority.revoke(t, www)
			c.hurry(t)
			c.served(t, www, "revoked")
		})
	}
}
