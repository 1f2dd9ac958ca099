package plugin

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
)

// statusTimeout bounds how long Consul is waited for.
const statusTimeout = 10 * time.Second

// Status is what is known of every staple and node: from Consul, or without a
// consul block from this node's data_dir. It changes nothing. When Consul does
// not answer, both the error and a report from data_dir are returned.
func Status(ctx context.Context, cfg *hclconfig.Config, logger hclog.Logger) (*status.Report, error) {
	if cfg.Consul == nil {
		return localStatus(cfg, nil)
	}
	report, err := clusterStatus(ctx, cfg, logger)
	if err != nil {
		report = lonely(cfg, nil, err)
	}
	return report, err
}

// lonely is what this node has without the cluster, and err in it, which is why; nil
// where it has nothing.
func lonely(cfg *hclconfig.Config, node *record.Node, err error) *status.Report {
	report, _ := localStatus(cfg, node)
	if report != nil {
		report.SetError(err)
	}
	return report
}

func clusterStatus(ctx context.Context, cfg *hclconfig.Config, logger hclog.Logger) (*status.Report, error) {
	client, err := connect(cfg.Consul, "", logger, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, statusTimeout, errors.New("no answer from Consul within 10s"))
	defer cancel()
	return reportOf(ctx, client, cfg)
}

// reportOf asks Consul.
func reportOf(ctx context.Context, client *consul.Client, cfg *hclconfig.Config) (*status.Report, error) {
	snapshot, err := client.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := client.Waiting(ctx, snapshot, cfg.Announce.CertificateTTL); err != nil {
		return nil, err
	}
	for id, c := range snapshot.Waiting {
		fetch := cfg.Fetch
		if job := cfg.Job(c.Job); job != nil {
			fetch = job.Fetch
		}
		if fetch.Off() {
			delete(snapshot.Waiting, id) // nothing is missing
		}
	}
	return status.FromSnapshot(snapshot, time.Now()), nil
}
