package consultest

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// StartDatacenters starts a server for each of the names, which are those of federated datacenters, and waits until
// each of them reaches the others. The options count for all; with access control all have one management token, the
// first is the primary datacenter, and its tokens and policies reach the others. The servers stop when the test ends.
func StartDatacenters(t testing.TB, names []string, o ...Option) []*Server {
	t.Helper()
	var opts options
	for _, option := range o {
		option(&opts)
	}
	token, err := opts.newToken()
	if err != nil {
		t.Fatalf("consul: %v", err)
	}
	var servers []*Server
	for _, name := range names {
		servers = append(servers, Start(t, append(o, func(o *options) {
			o.token, o.datacenter, o.primary = token, name, names[0]
			if len(servers) > 0 {
				o.federate = servers[0].wan()
			}
		})...))
	}
	for _, from := range servers {
		for _, name := range names {
			from.reaches(name)
		}
	}
	return servers
}

func (s *Server) wan() string { return net.JoinHostPort(s.at.address, strconv.Itoa(s.at.ports.wan)) }

// reaches waits until this server is answered by another datacenter.
func (s *Server) reaches(datacenter string) {
	s.t.Helper()
	deadline := time.After(startTimeout)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, _, err := s.client.KV().Get("any", &api.QueryOptions{Datacenter: datacenter})
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatal(fmt.Errorf("consul: %s does not reach datacenter %s: %w", s.node, datacenter, err))
		}
	}
}
