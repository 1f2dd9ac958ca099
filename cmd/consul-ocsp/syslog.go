package main

import (
	"fmt"
	"io"
	"log/syslog"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// facilities are syslog's, by the names of syslog_facility.
var facilities = map[string]syslog.Priority{
	"KERN": syslog.LOG_KERN, "USER": syslog.LOG_USER, "MAIL": syslog.LOG_MAIL, "DAEMON": syslog.LOG_DAEMON,
	"AUTH": syslog.LOG_AUTH, "SYSLOG": syslog.LOG_SYSLOG, "LPR": syslog.LOG_LPR, "NEWS": syslog.LOG_NEWS,
	"UUCP": syslog.LOG_UUCP, "CRON": syslog.LOG_CRON, "AUTHPRIV": syslog.LOG_AUTHPRIV, "FTP": syslog.LOG_FTP,
	"LOCAL0": syslog.LOG_LOCAL0, "LOCAL1": syslog.LOG_LOCAL1, "LOCAL2": syslog.LOG_LOCAL2, "LOCAL3": syslog.LOG_LOCAL3,
	"LOCAL4": syslog.LOG_LOCAL4, "LOCAL5": syslog.LOG_LOCAL5, "LOCAL6": syslog.LOG_LOCAL6, "LOCAL7": syslog.LOG_LOCAL7,
}

// openSyslog connects to the syslog daemon at a socket; an empty network means
// the one of this machine.
func openSyslog(network, address, facility string) (*syslog.Writer, error) {
	w, err := syslog.Dial(network, address, facilities[facility]|syslog.LOG_INFO, "consul-ocsp")
	if err != nil {
		return nil, fmt.Errorf("enable_syslog: %w", err)
	}
	return w, nil
}

// syslogSink takes what a logger is told, each line at its own priority. The
// daemon stamps and names the lines itself.
func syslogSink(w *syslog.Writer, cfg *hclconfig.Config) hclog.SinkAdapter {
	return hclog.NewSinkAdapter(&hclog.LoggerOptions{
		Level: hclog.LevelFromString(cfg.LogLevel), JSONFormat: cfg.LogJSON, DisableTime: true,
		Output: hclog.NewLeveledWriter(line(w.Info), map[hclog.Level]io.Writer{
			hclog.Trace: line(w.Debug), hclog.Debug: line(w.Debug), hclog.Warn: line(w.Warning), hclog.Error: line(w.Err),
		}),
	})
}

// line is one priority of a syslog connection.
type line func(text string) error

// Write sends one line.
func (l line) Write(b []byte) (int, error) { return len(b), l(string(b)) }
