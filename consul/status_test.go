package consul

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func testTrouble(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	id := testID(1)
	lead(t, c, func(ctx context.Context, term *Term) {
		if err := term.Trouble(ctx, id, nil); err != nil {
			t.Fatal(err)
		}
		if err := term.Trouble(ctx, id, &record.Trouble{Reason: "timeout", Error: "slow"}); err != nil {
			t.Fatal(err)
		}
		if err := term.Trouble(ctx, "../leader", &record.Trouble{}); err == nil {
			t.Error("an id that is none became a key")
		}
	})
	tr, err := record.DecodeTrouble(value(t, s, c.keys.trouble(id)))
	if err != nil || tr.Reason != "timeout" || value(t, s, c.keys.head()) != nil {
		t.Errorf("v1/trouble = %+v, %v", tr, err)
	}
	// The next leader knows what the one before has left.
	lead(t, c, func(ctx context.Context, term *Term) {
		if err := term.Trouble(ctx, id, nil); err != nil {
			t.Fatal(err)
		}
	})
	if value(t, s, c.keys.trouble(id)) != nil {
		t.Error("it is still there")
	}
}

func testNames(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	lead(t, c, func(ctx context.Context, term *Term) {
		for _, names := range []map[string]string{
			{"edge/www": testID(1), "edge/api": testID(2), "edge/..": testID(3), "no slash": testID(3), "edge/x": "no id"},
			{"edge/www": testID(4)},
		} {
			if err := term.Names(ctx, names); err != nil {
				t.Fatal(err)
			}
		}
	})
	pairs, _, err := s.Client().KV().List(c.keys.names(), nil)
	if err != nil || len(pairs) != 2 || string(pairs[0].Value) != testID(2) || string(pairs[1].Value) != testID(4) {
		t.Errorf("v1/name: %v, %v", pairs, err)
	}
}

func testNodes(t *testing.T, s *consultest.Server) {
	at := newClock(start)
	c := newClient(t, s, at.set)
	if err := c.ClaimNode(t.Context(), "web-1", "a"); err != nil {
		t.Fatal(err)
	}
	at.advance(4 * time.Minute)
	err := c.ClaimNode(t.Context(), "web-1", "b")
	var taken *NodeTakenError
	if !errors.As(err, &taken) || taken.Instance != "a" || !taken.Seen.Equal(start) {
		t.Errorf("ClaimNode: %v", err)
	}
	if err := c.ClaimNode(t.Context(), "web-1", "a"); err != nil {
		t.Errorf("the same agent again: %v", err)
	}
	at.advance(6 * time.Minute)
	if err := c.ClaimNode(t.Context(), "web-1", "b"); err != nil {
		t.Errorf("after 5 min: %v", err)
	}
	for _, name := range []string{"", "..", "a/b", "a b"} {
		if err := c.ClaimNode(t.Context(), name, "a"); err == nil {
			t.Errorf("node name %q became a key", name)
		}
	}
	stop := during(t, func(ctx context.Context) error {
		return c.ReportNode(ctx, func() record.Node {
			return record.Node{Node: "web-1", Instance: "b", Certificates: 3}
		}, nil, nil)
	})
	eventually(t, "the node's report", func() bool {
		n, err := record.DecodeNode("web-1", value(t, s, c.keys.node("web-1")))
		return err == nil && n.Certificates == 3 && n.Seen.Equal(at.Now())
	})
	if err := stop(); err != nil {
		t.Errorf("ReportNode: %v", err)
	}
}

func testSnapshot(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	empty, err := c.Snapshot(t.Context())
	if err != nil || empty.Leader != nil || len(empty.Metas) > 0 {
		t.Errorf("of nothing: %+v, %v", empty, err)
	}
	if err := c.ClaimNode(t.Context(), "web-1", "a"); err != nil {
		t.Fatal(err)
	}
	put(t, s, c.keys.node("web-2"), []byte(`{"node":"web-3"}`))
	put(t, s, c.keys.metas()+"x/../y", []byte("{}"))
	lead(t, c, func(ctx context.Context, term *Term) {
		publish(t, ctx, term, response(testID(1), 1))
		if err := term.Trouble(ctx, testID(2), &record.Trouble{Reason: "timeout"}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got.Format != record.Format || got.Generation != 1 || got.Leader == nil || got.Leader.Node != "leader" {
			t.Errorf("%+v", got)
		}
		if len(got.Metas) != 1 || got.Troubles[testID(2)].Reason != "timeout" || got.Nodes["web-1"].Instance != "a" || len(got.Unreadable) != 2 {
			t.Errorf("%+v", got)
		}
	})
	wanted := map[string]record.Wanted{}
	for n, age := range map[int]time.Duration{1: 0, 2: 0, 3: 0, 4: 3 * 24 * time.Hour} {
		cert := record.Certificate{Leaf: fmt.Append(nil, "certificate ", n), Issuer: []byte("issuer")}
		text, err := cert.Encode()
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, c.keys.certificate(cert.ID()), text)
		bucket := record.Bucket(cert.ID())
		if wanted[bucket] == nil {
			wanted[bucket] = record.Wanted{}
		}
		wanted[bucket][cert.ID()] = record.Hour(time.Now().Add(-age))
		put(t, s, c.keys.wanteds()+bucket, wanted[bucket].Encode())
	}
	snapshot, err := c.Snapshot(t.Context())
	if err == nil {
		err = c.Waiting(t.Context(), snapshot, 0)
	}
	if _, ok := snapshot.Waiting[testID(3)]; err != nil || !ok || len(snapshot.Waiting) != 1 {
		t.Errorf("1 has a response, 2 a trouble, 4 was announced long ago, so only 3 waits, not %v, %v", snapshot.Waiting, err)
	}
	if after, err := c.Snapshot(t.Context()); err != nil || after.Leader != nil {
		t.Errorf("nobody leads, but %+v, %v", after.Leader, err)
	}
}
