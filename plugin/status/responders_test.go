package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResponders(t *testing.T) {
	r := NewResponders()
	for i := range 200 {
		reason := ""
		if i%10 == 9 {
			reason = "timeout"
		}
		r.Exchanged("a.example.net", reason, time.Duration(i+1)*time.Millisecond, noon.Add(time.Duration(i)*time.Second))
	}
	r.Exchanged("b.example.net\x1b", "", -time.Second, noon) // a clock that was set back
	want := []Responder{
		{
			Host: "a.example.net", Since: noon, Exchanges: 200, Failed: 20, Failures: map[string]uint64{"timeout": 20},
			LastSuccess: noon.Add(198 * time.Second), LastFailure: noon.Add(199 * time.Second), LastReason: "timeout",
			Latency: Latency{Of: 128, Median: .136, P95: .194, Longest: .2}, // of 73 to 200 ms
		},
		{Host: "b.example.net?", Since: noon, Exchanges: 1, Failures: map[string]uint64{}, LastSuccess: noon, Latency: Latency{Of: 1}},
	}
	if d := cmp.Diff(want, r.List()); d != "" {
		t.Error(d)
	}
	if got := (*Responders)(nil).List(); got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// However many hosts and reasons there are, what is kept of them is bounded.
func TestRespondersAreBounded(t *testing.T) {
	r := NewResponders()
	for i := range 3 * mostHosts {
		r.Exchanged(fmt.Sprintf("r%d.example.net", i), "timeout", time.Second, noon)
	}
	for i := range 3 * mostReasons {
		r.Exchanged("r0.example.net", fmt.Sprintf("reason-%d", i), time.Second, noon)
	}
	list := r.List()
	if len(list) != mostHosts+1 {
		t.Errorf("%d hosts", len(list))
	}
	for _, one := range list {
		if len(one.Failures) > mostReasons+1 {
			t.Errorf("%s: %d reasons", one.Host, len(one.Failures))
		}
	}
}
