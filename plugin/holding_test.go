package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// The fetcher and the writer know of a certificate in a file all that is asked of
// it later: an inventory keeps little of it.
func TestHoldingKnowsItsCertificates(t *testing.T) {
	t.Parallel()
	ca := testcatest.Init(t, testca.InitOptions{})
	names, urls := []string{"www.example.test", "shop.example.test"}, []string{"http://ocsp.example.test"}
	issued := testcatest.Issue(t, ca, testca.IssueOptions{MustStaple: true, Responders: urls}, names...)
	found, problems := inventory.Read([]inventory.Source{{Job: "edge", Certificates: []inventory.Single{{Name: "www", Path: issued.Path}}}})
	if len(found) != 1 || len(problems) > 0 {
		t.Fatal(found, problems)
	}
	cfg := &hclconfig.Config{Jobs: []hclconfig.Job{{Name: "edge"}}}
	p, err := settings.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &holding{logger: hclog.NewNullLogger()}
	h.take(p, found, nil)
	targets, deliveries := h.ownTargets(), h.deliveries()
	if len(targets) != 1 || len(deliveries) != 1 {
		t.Fatal(targets, deliveries)
	}
	if g := targets[0]; !g.MustStaple || !slices.Equal(g.Names, names) || !slices.Equal(g.Leaf.OCSPServer, urls) ||
		g.Leaf.Issuer.String() != issued.Leaf.Issuer.String() || !g.Leaf.NotAfter.Equal(issued.Leaf.NotAfter) {
		t.Errorf("the fetcher is told %+v", g)
	}
	if d := deliveries[0]; !d.MustStaple || !slices.Equal(d.Names, names) || !d.Leaf.Equal(issued.Leaf) || d.Pair == nil || d.Pair.Leaf() != d.Leaf || d.Pair.Issuer() != d.Issuer {
		t.Errorf("the writer is told %+v", d)
	}
}

// A folder that can't be read any more is told of by some of its certificates,
// and once.
func TestAThousandProblemsAreAFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		h := &holding{logger: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})}
		var problems []inventory.Problem
		for i := range 1000 {
			problems = append(problems, inventory.Problem{Job: "edge", Name: fmt.Sprint(i), Path: "/certs", Err: errors.New("permission denied")})
		}
		for range 24 {
			if got := h.complain(problems); len(got) != len(problems) {
				t.Fatalf("%d troubles", len(got))
			}
			clocktest.Pass(time.Hour)
		}
		if n := strings.Count(log.String(), "\n"); n != ration.Most {
			t.Errorf("%d lines", n)
		}
	})
}
