package plugin

import (
	"context"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/prospects"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
)

// Plan looks at everything that an agent would touch, and changes nothing. An
// error is one of the configuration.
func Plan(ctx context.Context, cfg *hclconfig.Config, o Options) (*prospects.Report, error) {
	mapped, err := settings.New(cfg, &settings.Targets{Logger: o.Logger, AskOnly: true})
	if err != nil {
		return nil, err
	}
	return prospects.Look(ctx, mapped, func(doing string, done, total int) {
		o.says(Progress{Doing: doing, Done: done, Total: total})
	}), nil
}
