package hclconfig

import (
	"math"
	"slices"
	"time"
)

// config reads the top level of all files.
func (p *parser) config(b *block) *Config {
	c := Default()
	b.texts("roles", &c.Roles, oneOf("fetch", "deliver"))
	b.unique("roles", c.Roles)
	if len(c.Roles) == 0 {
		p.invalid("roles", b.place("roles"), "Without a role an agent does nothing. Write \"fetch\", \"deliver\", or both.")
	}
	b.text("node_name", &c.NodeName, orEmpty(isLabel))
	b.text("data_dir", &c.DataDir, absolute)
	b.text("lock_dir", &c.LockDir, absolute)
	b.texts("trusted_folders", &c.TrustedFolders, absolute)
	b.boolean("fallback", &c.Fallback)
	p.logging(b, c)
	p.listeners(b, c)
	if consul := b.one("consul"); consul != nil {
		c.Consul = p.consul(consul)
	}
	if announce := b.one("announce"); announce != nil {
		p.announce(announce, &c.Announce)
	}
	if fetch := b.one("fetch"); fetch != nil {
		c.Fetch = p.fetch(fetch, c.Fetch)
	}
	jobs := b.all("job", "NAME")
	b.distinct(jobs)
	for _, job := range jobs {
		c.Jobs = append(c.Jobs, p.job(job, c))
	}
	if event := b.one("on_event"); event != nil {
		p.onEvent(event, &c.OnEvent)
	}
	b.done()
	return c
}

func (p *parser) logging(b *block, c *Config) {
	b.text("log_level", &c.LogLevel, oneOf("trace", "debug", "info", "warn", "error", "off"))
	b.boolean("log_json", &c.LogJSON)
	b.text("log_file", &c.LogFile, orEmpty(absoluteFile))
	b.number("log_rotate_bytes", &c.LogRotateBytes, 0, math.MaxInt32)
	b.number("log_rotate_max_files", &c.LogRotateMaxFiles, 0, 100_000)
	b.boolean("enable_syslog", &c.EnableSyslog)
	b.text("syslog_facility", &c.SyslogFacility, oneOf("KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP",
		"CRON", "AUTHPRIV", "FTP", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7"))
	b.boolean("log_ocsp_update", &c.LogOCSPUpdate)
}

// listeners reads what others see of an agent.
func (p *parser) listeners(b *block, c *Config) {
	if http := b.one("http"); http != nil {
		c.HTTP = p.http(http)
	}
	if pull := b.one("pull"); pull != nil {
		c.Pull = &Pull{Address: "127.0.0.1:8888", Source: pull.source()}
		pull.text("address", &c.Pull.Address, listenAddress)
		pull.done()
	}
	if telemetry := b.one("telemetry"); telemetry != nil {
		t := &c.Telemetry
		telemetry.text("metrics_prefix", &t.MetricsPrefix, isLabel)
		telemetry.boolean("disable_hostname", &t.DisableHostname)
		telemetry.text("statsd_address", &t.StatsdAddress, orEmpty(hostPort))
		telemetry.text("dogstatsd_addr", &t.DogstatsdAddr, orEmpty(hostPort))
		telemetry.texts("dogstatsd_tags", &t.DogstatsdTags, printable)
		telemetry.done()
	}
	if service := b.one("service"); service != nil {
		c.Service = &Service{Name: "consul-ocsp", Source: service.source()}
		service.text("name", &c.Service.Name, isHostLabel)
		service.texts("tags", &c.Service.Tags, printable)
		service.done()
	}
}

func (p *parser) http(b *block) *HTTP {
	h := &HTTP{StapleMetrics: true, Source: b.source()}
	b.require("address", `"127.0.0.1:8509"`)
	b.text("address", &h.Address, listenAddress)
	b.boolean("staple_metrics", &h.StapleMetrics)
	b.texts("hosts", &h.Hosts, hostPattern)
	if tls := b.one("tls"); tls != nil {
		h.TLS = &ServerTLS{}
		tls.require("cert_file", `"/etc/consul-ocsp.d/tls.pem"`)
		tls.text("cert_file", &h.TLS.CertFile, absoluteFile)
		tls.require("key_file", `"/etc/consul-ocsp.d/tls.key"`)
		tls.text("key_file", &h.TLS.KeyFile, absoluteFile)
		tls.text("ca_file", &h.TLS.CAFile, orEmpty(absoluteFile))
		tls.done()
	}
	b.done()
	return h
}

func (p *parser) onEvent(b *block, e *OnEvent) {
	known := slices.Clone(e.Events)
	b.command("command", &e.Command, false)
	b.text("webhook", &e.Webhook, orEmpty(webhookURL))
	b.texts("events", &e.Events, oneOf(known...))
	b.unique("events", e.Events)
	b.duration("timeout", &e.Timeout, instant, time.Hour)
	b.done()
}
