package consultest

import (
	"bytes"
	"io"

	"github.com/hashicorp/consul/api"
)

// Save is a snapshot of all that the server has.
func (s *Server) Save() []byte {
	s.t.Helper()
	snapshot, _, err := s.client.Snapshot().Save(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer snapshot.Close()
	b, err := io.ReadAll(snapshot)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// Restore puts a snapshot, of this server or of another, in the place of all that
// the server has.
func (s *Server) Restore(snapshot []byte) {
	s.t.Helper()
	if err := s.client.Snapshot().Restore(nil, bytes.NewReader(snapshot)); err != nil {
		s.t.Fatal(err)
	}
}

// Register puts the server's own node back into the catalog, without which no
// session can be created: a foreign snapshot does not have it. Consul does so
// itself within a minute.
func (s *Server) Register() error {
	_, err := s.client.Catalog().Register(&api.CatalogRegistration{
		Node: s.node, Address: "127.0.0.1",
		Check: &api.AgentCheck{Node: s.node, CheckID: "serfHealth", Name: "Serf Health Status", Status: api.HealthPassing},
	}, nil)
	return err
}
