package consultest

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// clusterSize is how many servers a cluster has: the least of which one may fail.
const clusterSize = 3

// Cluster is three servers of one datacenter and any number of clients, each with an address of its own: in a network
// namespace each where the machine lets the test make such, otherwise on loopback addresses. Its methods are for the
// test's own goroutine.
type Cluster struct {
	Servers []*Server

	t       testing.TB
	options options
	network network
}

// network is where the agents of a cluster live, and what goes wrong there.
type network interface {
	// add makes room for another agent.
	add() (place, error)
	// cutOff keeps an agent from all others, and wholly also from its own HTTP clients.
	cutOff(s *Server, wholly bool) error
	// lose drops this share of what agents and clients send each other; false where that can't be done.
	lose(percent int) (bool, error)
	// heal ends all of that.
	heal() error
}

// StartCluster starts the servers, waits until each is ready, and stops them when the test ends.
func StartCluster(t testing.TB, o ...Option) *Cluster {
	t.Helper()
	spaces, err := newNamespaces(t)
	if err != nil {
		t.Logf("consul: no network namespaces, loopback addresses instead: %v", err)
		return startCluster(t, newLoopback(), o...)
	}
	return startCluster(t, spaces, o...)
}

func startCluster(t testing.TB, n network, o ...Option) *Cluster {
	t.Helper()
	c := &Cluster{t: t, network: n}
	for _, option := range o {
		option(&c.options)
	}
	var err error
	c.options.token, err = c.options.newToken()
	c.check(err)
	var places []place
	for range clusterSize {
		p := c.room()
		places = append(places, p)
		c.options.join = append(c.options.join, p.serf())
	}
	for _, p := range places {
		c.Servers = append(c.Servers, c.launch(p, c.options))
	}
	for _, s := range c.Servers {
		c.await(s)
	}
	return c
}

// AddClient starts a Consul agent that is no server and forwards to those of the cluster, as there is one on each
// machine of a real one.
func (c *Cluster) AddClient() *Server {
	c.t.Helper()
	o := c.options
	o.client = true
	s := c.launch(c.room(), o)
	c.await(s)
	return s
}

func (c *Cluster) room() place {
	c.t.Helper()
	p, err := c.network.add()
	c.check(err)
	return p
}

func (c *Cluster) launch(p place, o options) *Server {
	c.t.Helper()
	s, err := newServer(c.t, Binary(c.t, "consul"), p, o)
	if err == nil {
		err = s.launch()
	}
	c.check(err)
	c.t.Cleanup(s.end)
	return s
}

func (c *Cluster) await(s *Server) {
	c.t.Helper()
	if err := s.ready(); err != nil {
		c.t.Fatalf("consul: %v\n%s", err, s.logTail())
	}
}

// Leader waits until a server that runs is the leader by its own word, and returns it.
func (c *Cluster) Leader() *Server {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, s := range c.Servers {
			if s.process != nil && s.leads(ctx) {
				return s
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("consul: no server leads")
		}
	}
}

// leads reports whether the server says that it is the leader itself.
func (s *Server) leads(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	leader, err := s.client.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
	return err == nil && leader == s.at.rpc()
}

// CutOff keeps an agent from all other agents of the cluster until Heal; its HTTP clients reach it, and are told that
// it has no leader. On loopback addresses it is paused instead.
func (c *Cluster) CutOff(s *Server) { c.t.Helper(); c.check(c.network.cutOff(s, false)) }

// Isolate keeps an agent from everything, its HTTP clients too, until Heal: what is sent is lost without a word.
func (c *Cluster) Isolate(s *Server) { c.t.Helper(); c.check(c.network.cutOff(s, true)) }

// Lose drops this share of all packets of the agents, in percent, until Heal. It reports false, and does nothing,
// where there are only loopback addresses.
func (c *Cluster) Lose(percent int) bool {
	c.t.Helper()
	can, err := c.network.lose(percent)
	c.check(err)
	return can
}

// Heal ends what CutOff, Isolate and Lose began.
func (c *Cluster) Heal() { c.t.Helper(); c.check(c.network.heal()) }

func (c *Cluster) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("consul: %v", err)
	}
}
