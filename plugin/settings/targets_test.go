package settings

import (
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

func TestTargetsStayWhileTheirBlockDoes(t *testing.T) {
	cfg := hclconfig.Default()
	job := hclconfig.Job{Name: "edge", Exec: []hclconfig.DeliverExec{{Command: []string{"true"}}}, HAProxy: []hclconfig.DeliverHAProxy{{Socket: "/a", Method: "auto"}}}
	cfg.Jobs = []hclconfig.Job{job}
	set := &Targets{Logger: hclog.NewNullLogger()}
	before := set.byJob(cfg)["edge"]
	cfg.Jobs[0].Exec[0].Source.Line = 7
	cfg.Jobs[0].HAProxy[0].Socket = "/b"
	after := set.byJob(cfg)["edge"]
	if before[0] == after[0] {
		t.Error("the socket changed, the target did not")
	}
	if before[1] != after[1] {
		t.Error("a block that only moved made another target")
	}
}
