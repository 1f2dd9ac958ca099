package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// adversary has every right in Consul and writes values that are random, that
// were there before, there or elsewhere, and that are put together of both.
type adversary struct {
	intruder
	random *rand.Rand
	keys   []string
	seen   [][]byte
}

// look remembers what the keys hold now.
func (a *adversary) look() {
	a.t.Helper()
	for _, key := range a.keys {
		if value := a.get(key); value != nil {
			a.seen = append(a.seen, value)
		}
	}
}

func (a *adversary) value() []byte {
	noise := make([]byte, a.random.IntN(4096))
	for i := range noise {
		noise[i] = byte(a.random.Uint32())
	}
	one, other := a.seen[a.random.IntN(len(a.seen))], a.seen[a.random.IntN(len(a.seen))]
	switch a.random.IntN(6) {
	case 0:
		return noise
	case 1:
		return append(append([]byte{}, one[:a.random.IntN(len(one)+1)]...), other[a.random.IntN(len(other)+1):]...)
	case 2: // one bit
		changed := append([]byte{}, one...)
		if len(changed) > 0 {
			changed[a.random.IntN(len(changed))] ^= 1 << a.random.IntN(8)
		}
		return changed
	default:
		return one
	}
}

// watched is what a client has seen of a server's staple for one name.
type watched struct {
	n      *node
	name   string
	status staple.Status // the true one
	last   time.Time
}

// look does a handshake: the staple is there, verifies, is true, and is none from
// before.
func (w *watched) look(t *testing.T, c *cluster) {
	t.Helper()
	certificates, err := staple.ParseCertificates([]byte(readText(t, w.n.certificate(w.name))))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := staple.Verify(w.n.staple(t, w.name), certificates[0], c.authority.Certificate(), staple.Options{Now: time.Now()})
	if err != nil || facts.Status != w.status {
		t.Fatalf("%s is stapled a lie: %+v, %v", w.name, facts, err)
	}
	if facts.ThisUpdate.Before(w.last) {
		t.Fatalf("%s is stapled a response of %s after one of %s", w.name, facts.ThisUpdate, w.last)
	}
	w.last = facts.ThisUpdate
}

// Whoever may write everything in Consul can stop updates, and can't have a lie
// or an older response stapled, such as one that was good before a certificate
// was revoked. When it is over, updates go on.
func TestAdversary(t *testing.T) {
	t.Parallel()
	const shop, stolen = "shop.example.test", "stolen.example.test"
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www, shop, stolen)
	n := c.nodes[0]
	clients := []*watched{{n: n, name: www, status: staple.Good}, {n: n, name: shop, status: staple.Good}, {n: n, name: stolen, status: staple.Revoked}}
	a := &adversary{intruder: intruder{t, c}, random: rand.New(rand.NewPCG(6, 2026))}
	a.keys = []string{"head"}
	for i := range 4 {
		a.keys = append(a.keys, "log/"+record.Slot(uint64(i+1)))
	}
	var ids []string
	for _, w := range clients {
		c.served(t, w.name, "good")
		id := n.id(t, w.name)
		ids = append(ids, id)
		a.keys = append(a.keys, "der/"+id, "meta/"+id, "certificate/"+id, "wanted/"+record.Bucket(id))
	}
	a.look()
	c.authority.revoke(t, stolen)
	c.hurry(t) // a new response each second: there is much to go back to
	c.served(t, stolen, "revoked")
	pace := time.NewTicker(50 * time.Millisecond) // leaves the node time to be deceived
	defer pace.Stop()
	for began, round := time.Now(), 0; round < 300 || time.Since(began) < time.Minute; round++ {
		<-pace.C
		switch id := ids[a.random.IntN(len(ids))]; a.random.IntN(10) {
		case 0:
			a.look()
		case 1:
			a.delete([]string{"der/", "meta/", "wanted/", "log/"}[a.random.IntN(4)])
		default:
			a.put(a.keys[a.random.IntN(len(a.keys))], a.value())
			a.put("der/"+id, a.value())
			a.announce(id)
		}
		for _, w := range clients {
			w.look(t, c)
		}
	}
	refused := strings.Count(n.agent.log.String(), "response refused")
	t.Logf("the adversary knew %d values, the node refused %d", len(a.seen), refused)
	if refused == 0 {
		t.Error("none of its responses reached the node")
	}
	for _, w := range clients {
		before := w.last
		eventually(t, "updates go on for "+w.name, func() error {
			if w.look(t, c); !w.last.After(before) {
				return fmt.Errorf("still the response of %s", before)
			}
			return nil
		})
	}
}

// announce has nodes look at what is under id, with a meta that fits it and
// says that it is the newest, wherever that can be had.
func (a *adversary) announce(id string) {
	a.t.Helper()
	now, err := record.DecodeMeta(a.get("meta/" + id))
	if err != nil {
		now = record.Meta{Status: "good"}
	}
	now.ThisUpdate = time.Now().Add(time.Duration(a.random.IntN(7200)-3600) * time.Second)
	now.SHA256 = record.Checksum(a.get("der/" + id))
	meta, err := now.Encode()
	if err != nil {
		a.t.Fatal(err)
	}
	head, err := record.ParseHead(a.get("head"))
	if err != nil {
		head = record.Head{Generation: 1, Nonce: record.NewNonce()}
	}
	next := record.Head{Generation: head.Generation%record.MaxGeneration + 1, Nonce: record.NewNonce(), Before: head.Nonce, IDs: []string{id}}
	a.put("meta/"+id, meta)
	a.put("log/"+record.Slot(next.Generation), next.Encode())
	a.put("head", next.Encode())
}

// id is that of a certificate.
func (n *node) id(t *testing.T, name string) string {
	t.Helper()
	certificates, err := staple.ParseCertificates([]byte(readText(t, n.certificate(name))))
	if err != nil {
		t.Fatal(err)
	}
	return staple.ID(certificates[0])
}
