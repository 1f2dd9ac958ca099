package plugin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
)

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
		if n := strings.Count(log.String(), "\n"); n != rationLines {
			t.Errorf("%d lines", n)
		}
	})
}
