package plugin

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// TestAClockThatDisagreesShowsInStatus has a responder whose Date is an hour off:
// its answer is taken, and the node that fetches says so.
func TestAClockThatDisagreesShowsInStatus(t *testing.T) {
	for fault, want := range map[string]string{"date-ahead": "ahead of our clock", "date-behind": "behind our clock", "": ""} {
		ca := testcatest.Init(t, testca.InitOptions{})
		server := httptest.NewServer(ca.Responder(testca.ResponderOptions{Fault: fault}))
		t.Cleanup(server.Close)
		c := testcatest.Issue(t, ca, testca.IssueOptions{Responders: []string{server.URL}}, "www.example.com")
		data, err := store.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		client := responder.New(responder.Config{})
		t.Cleanup(client.Close)
		f := fetcher.New(fetcher.Config{Store: data, Publisher: data, Client: client})
		f.Set([]fetcher.Target{{ID: staple.ID(c.Leaf), Leaf: c.Leaf, Issuer: ca.Certificate(), Job: "edge", Name: "www"}})
		if r := f.Pass(t.Context(), fetcher.PassOptions{})[0]; r.Outcome != fetcher.Fetched {
			t.Fatalf("%s: %+v", fault, r)
		}
		p := &parts{}
		p.fetching.Store(f)
		n := p.summed(record.Node{Node: "a", Seen: time.Now(), Trouble: p.clocks()})
		report := status.FromSnapshot(&record.Snapshot{Nodes: map[string]record.Node{"a": n}}, time.Now())
		var table strings.Builder
		if err := report.WriteTable(&table, status.TableOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"responder " + strings.TrimPrefix(server.URL, "http://") + ": clock", want} {
			if strings.Contains(table.String(), text) != (fault != "") && text != "" {
				t.Errorf("%q: %q is not what the table says:\n%s", fault, text, table.String())
			}
		}
	}
}
