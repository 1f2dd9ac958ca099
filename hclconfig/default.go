package hclconfig

import "time"

// Default returns the configuration of an empty job file: every default filled
// in, no Consul and no jobs. Each call returns a new one.
func Default() *Config {
	return &Config{
		Roles:          []string{"fetch", "deliver"},
		DataDir:        "/var/lib/consul-ocsp",
		LockDir:        "/run/lock/consul-ocsp",
		Fallback:       true,
		LogLevel:       "info",
		SyslogFacility: "LOCAL0",
		Telemetry:      Telemetry{MetricsPrefix: "consul_ocsp"},
		Announce: Announce{
			CertificateTTL: 48 * time.Hour,
			Splay:          20 * time.Second,
			Max:            50000,
		},
		Fetch: Fetch{
			MinDelay:    5 * time.Minute,
			MaxDelay:    time.Hour,
			Timeout:     10 * time.Second,
			Concurrency: 32,
			Rate:        200,
		},
		OnEvent: OnEvent{
			Events:  []string{"revoked", "expiring", "recovered", "leader", "canary"},
			Timeout: 30 * time.Second,
		},
	}
}

// DefaultConsul returns what an empty consul block means.
func DefaultConsul() Consul {
	return Consul{
		Address:    "127.0.0.1:8500",
		Path:       "consul-ocsp/",
		SessionTTL: 30 * time.Second,
		LockDelay:  5 * time.Second,
		TLS:        ConsulTLS{Verify: true},
	}
}

// DefaultJob returns what an empty job block means below this configuration.
func DefaultJob(c *Config) Job {
	return Job{Fetch: c.Fetch, WriteFiles: true, WriteIssuer: true}
}

// DefaultCanary returns what a canary block means besides what is required.
func DefaultCanary() Canary {
	return Canary{Every: day, Within: 2 * time.Hour, Timeout: time.Minute}
}

// DefaultHAProxy returns what an empty deliver "haproxy" block means.
func DefaultHAProxy() DeliverHAProxy {
	return DeliverHAProxy{
		Socket:        "/run/haproxy/admin.sock",
		Method:        "auto",
		OnRevoked:     "staple",
		MinInterval:   time.Minute,
		MaxConcurrent: 1,
	}
}
