package plugin

import (
	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// connect makes the client for the consul block: for another datacenter than
// that of the Consul agent, if one is named. more, unless nil, adds to it.
func connect(c *hclconfig.Consul, datacenter string, logger hclog.Logger, more func(*consul.Config)) (*consul.Client, error) {
	logger = logger.Named("consul")
	foreign := datacenter != ""
	if foreign {
		logger = logger.With("datacenter", datacenter)
	} else {
		datacenter = c.Datacenter
	}
	config := consul.Config{
		Address: c.Address, Token: string(c.Token), TokenFile: c.TokenFile,
		Datacenter: datacenter, Foreign: foreign, Namespace: c.Namespace, Partition: c.Partition,
		Path: c.Path, SessionTTL: c.SessionTTL, LockDelay: c.LockDelay,
		TLS: consul.TLS{
			Enabled: c.TLS.Enabled, CAFile: c.TLS.CAFile, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
			ServerName: c.TLS.ServerName, SkipVerify: !c.TLS.Verify,
		},
		Logger: logger,
	}
	if more != nil {
		more(&config)
	}
	return consul.New(config)
}
