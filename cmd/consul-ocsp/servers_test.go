package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// servers is a cluster of three Consul servers and what lives on it: two agents
// that fetch every second, and two nodes.
type servers struct {
	*cluster
	t        *testing.T
	all      *consultest.Cluster
	client   *consultest.Server // the second node's
	proxies  []*consultest.Proxy
	fetchers []*running
	auditor  *auditor
	shown    *handshakes
}

// TestServersFail: whatever happens to Consul's servers and on the way to them,
// every handshake shows a valid staple, and afterwards all goes on by itself:
// nothing that was published is lost, is there twice, is older than what was
// there, or was written by one who did not lead.
func TestServersFail(t *testing.T) {
	t.Parallel()
	const shop = "shop.example.test"
	s := &servers{t: t, all: consultest.StartCluster(t)}
	s.client = s.all.AddClient()
	s.cluster = &cluster{consul: s.all.Servers[0], authority: newAuthority(t, testca.ResponderOptions{}), tokens: map[string]string{}, addresses: map[string]string{
		"fetcher-1": s.behindProxy(s.all.Servers[0]),
		"fetcher-2": s.behindProxy(s.all.Servers[1]),
		"node-1":    s.behindProxy(s.all.Servers[2]),
		"node-2":    s.client.Address(),
	}}
	for _, name := range []string{"fetcher-1", "fetcher-2"} {
		s.fetchers = append(s.fetchers, s.startFetcher(t, name, "min_delay = \"1s\"\n  max_delay = \"1s\""))
	}
	s.addNodes(t, 2, testca.IssueOptions{}, www, shop)
	s.served(t, www, "good")
	s.served(t, shop, "good")
	var ids []string
	for _, cert := range issuedAs(t, s.cluster, []string{www, shop}) {
		ids = append(ids, staple.ID(cert.Leaf))
	}
	a, audited := audit(t, ids, s.all.Servers[0].Client(), s.all.Servers[1].Client(), s.all.Servers[2].Client())
	h, shaken := shake(t, s.cluster, www, shop)
	s.auditor, s.shown = a, h
	s.auditor.progress(t, 2)

	for _, fault := range []struct {
		name string
		make func()
	}{
		{"the leader is killed", s.leaderKilled},
		{"the majority is lost", s.majorityLost},
		{"one is cut off", s.cutOff},
		{"packets are lost, answers are late", s.badWay},
		{"requests and connections are limited", s.limited},
	} {
		began := time.Now()
		fault.make()
		t.Logf("%s for %s", fault.name, time.Since(began).Round(time.Second))
		if t.Failed() {
			return
		}
		s.shown.renewed(t, fault.name)
	}
	shaken()
	audited()
	s.authority.revoke(t, www)
	s.served(t, www, "revoked")
	s.served(t, shop, "good")
}

// behindProxy is the address of a proxy before a server.
func (s *servers) behindProxy(server *consultest.Server) string {
	p := consultest.StartProxy(s.t, server.Address())
	s.proxies = append(s.proxies, p)
	return p.Address
}

func (s *servers) leaderKilled() {
	old := s.all.Leader()
	old.Kill()
	s.all.Leader()
	old.Restart()
}

// outage is how long the majority of the servers is gone.
const outage = 40 * time.Second

// majorityLost lasts until the agent that led knows that it does not any more,
// and then some.
func (s *servers) majorityLost() {
	before := s.says("could not be renewed")
	began := time.Now()
	for _, server := range s.all.Servers[:2] {
		server.Kill()
	}
	eventually(s.t, "a leader that gives up", func() error {
		if s.says("could not be renewed") == before {
			return fmt.Errorf("no fetcher says so")
		}
		if left := outage - time.Since(began); left > 0 {
			return fmt.Errorf("the outage is not over for another %v", left)
		}
		return nil
	})
	for _, server := range s.all.Servers[:2] {
		server.Restart()
	}
}

// says is how often the fetchers have logged a text.
func (s *servers) says(text string) int {
	times := 0
	for _, f := range s.fetchers {
		times += strings.Count(f.log.String(), text)
	}
	return times
}

// cutOff takes one server from the others, and the Consul agent of a node from
// everything. The leader's loss is another matter, above.
func (s *servers) cutOff() {
	if last := s.all.Servers[2]; s.all.Leader() == last {
		last.Kill()
		s.all.Leader()
		last.Restart()
	}
	s.all.CutOff(s.all.Servers[2])
	s.all.Isolate(s.client)
	s.auditor.progress(s.t, 3)
	s.all.Heal()
}

// badWay loses a fifth of the packets and has all answers come late. Where no
// packets can be lost, connections break.
func (s *servers) badWay() {
	for _, p := range s.proxies {
		p.Delay(200 * time.Millisecond)
	}
	if !s.all.Lose(20) {
		for _, p := range s.proxies {
			p.Break(0.2, 1000)
		}
	}
	s.auditor.progress(s.t, 2)
	s.all.Heal()
	for _, p := range s.proxies {
		p.Heal()
	}
}

// limited has Consul refuse requests, and takes all connections that an agent
// grants to one address, before a node's agent starts.
func (s *servers) limited() {
	limit := func(hcl string) {
		for _, server := range s.all.Servers {
			server.Reconfigure(hcl)
		}
	}
	limit(`limits { request_limits { mode = "enforcing" read_rate = 1 write_rate = 1 } }`)
	s.auditor.rarely.Store(true)
	free := s.noConnections()
	eventually(s.t, "a refusal", func() error {
		if s.says("rate limit exceeded") == 0 {
			return fmt.Errorf("no fetcher was refused anything")
		}
		return nil
	})
	s.nodes[1].agent.says(s.t, "consul does not answer")
	s.auditor.progress(s.t, 1)
	s.auditor.rarely.Store(false)
	limit("")
	free()
}

// noConnections takes all connections that the second node's Consul agent
// grants to one address, and starts that node's agent anew.
func (s *servers) noConnections() (free func()) {
	n := s.nodes[1]
	n.agent.kill()
	const most = 200 // limits.http_max_conns_per_client
	var taken []net.Conn
	for range most {
		conn, err := net.Dial("tcp", s.client.Address())
		if err != nil {
			s.t.Fatal(err)
		}
		taken = append(taken, conn)
	}
	n.start(s.t)
	return func() {
		for _, conn := range taken {
			conn.Close()
		}
	}
}
