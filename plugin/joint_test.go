package plugin

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// following is a source whose lists the test hands on.
type following chan []record.Staple

func (f following) Follow(ctx context.Context, _ func() []string, _ func(id string) (record.Meta, bool),
	deliver func(ctx context.Context, list []record.Staple), _ <-chan struct{}) error {
	for list := range f {
		deliver(ctx, list)
	}
	return nil
}

// What the cluster has is behind what a node fetched itself: no reason to
// complain. An older response than one from the cluster is one, whoever put it
// there, and is left to the writer to refuse.
func TestJoint(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	response := func(id string, hour int) record.Staple {
		der := []byte(id + noon.Add(time.Duration(hour)*time.Hour).String())
		return record.Staple{ID: id, DER: der, Meta: record.Meta{
			SHA256: record.Checksum(der), Status: "good", ThisUpdate: noon.Add(time.Duration(hour) * time.Hour),
		}}
	}
	cluster := make(following)
	j := &joint{cluster: cluster, logger: hclog.NewNullLogger()}
	if err := j.Publish(t.Context(), []record.Staple{response("own", 5)}); err == nil {
		t.Error("published, and nobody follows")
	}
	held := map[string]record.Meta{}
	var got []string
	done := make(chan error, 1)
	go func() { // ends when the cluster does
		done <- j.Follow(t.Context(), nil, func(id string) (record.Meta, bool) { m, ok := held[id]; return m, ok },
			func(_ context.Context, list []record.Staple) {
				for _, st := range list {
					got = append(got, st.ID+" "+st.Meta.ThisUpdate.Format("15"))
					if st.Meta.Supersedes(held[st.ID]) {
						held[st.ID] = st.Meta
					}
				}
			}, nil)
	}()
	cluster <- []record.Staple{response("own", 1), response("other", 5)}
	cluster <- nil // the first is delivered
	if err := j.Publish(t.Context(), []record.Staple{response("own", 5)}); err != nil {
		t.Error(err)
	}
	cluster <- []record.Staple{response("own", 3), response("other", 3)}
	cluster <- []record.Staple{response("own", 6)}
	cluster <- []record.Staple{response("own", 3)} // now that one is from the cluster
	close(cluster)
	if err := <-done; err != nil {
		t.Error(err)
	}
	want := []string{"own 13", "other 17", "own 17", "other 15", "own 18", "own 15"}
	if len(got) != len(want) {
		t.Fatalf("delivered %q; want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("delivered %q; want %q", got, want)
		}
	}
}
