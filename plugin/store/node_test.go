package store

import (
	"os"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func TestNode(t *testing.T) {
	s := open(t)
	if n, found, err := s.Node(); n != nil || found || err != nil {
		t.Errorf("nothing was kept: %v, %v, %v", n, found, err)
	}
	if err := s.PutNode(record.Node{Node: "lb-1", Certificates: 3}); err != nil {
		t.Fatal(err)
	}
	if err := s.Trouble(t.Context(), id, &record.Trouble{Reason: "http"}); err != nil {
		t.Fatal(err)
	}
	if n, found, err := s.Node(); err != nil || !found || n.Node != "lb-1" || n.Certificates != 3 {
		t.Errorf("kept %v, %v, %v", n, found, err)
	}
	for range 2 {
		if err := s.ForgetNode(); err != nil {
			t.Fatal(err)
		}
	}
	troubles, err := s.Troubles()
	if _, found, _ := s.Node(); found || err != nil || len(troubles) != 0 {
		t.Errorf("still kept: %v, %v, %v", found, troubles, err)
	}
	if err := os.WriteFile(s.nodePath(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, found, err := s.Node(); n != nil || found || err == nil {
		t.Errorf("a broken record: %v, %v, %v", n, found, err)
	}
}
