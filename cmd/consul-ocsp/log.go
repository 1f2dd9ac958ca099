package main

import (
	"errors"
	"fmt"
	"io"
	"log/syslog"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// journal is a logger and where it writes.
type journal struct {
	hclog.InterceptLogger
	file   *logFile       // nil: standard error
	syslog *syslog.Writer // nil: not there, too
	sink   hclog.SinkAdapter
}

// newLogger is the log that the configuration asks for. What can't be written
// to is an error at once, not at the first line.
func newLogger(e environment, cfg *hclconfig.Config) (*journal, error) {
	j := &journal{}
	var out io.Writer = e.stderr
	if cfg.LogFile != "" {
		file, err := openLogFile(cfg.LogFile, cfg.LogRotateBytes, cfg.LogRotateMaxFiles)
		if err != nil {
			return nil, fmt.Errorf("log_file: %w", err)
		}
		j.file, out = file, file
	}
	j.InterceptLogger = hclog.NewInterceptLogger(&hclog.LoggerOptions{
		Name: "consul-ocsp", Level: hclog.LevelFromString(cfg.LogLevel), Output: out, JSONFormat: cfg.LogJSON,
	})
	if cfg.EnableSyslog {
		w, err := openSyslog("", "", cfg.SyslogFacility)
		if err != nil {
			return nil, errors.Join(err, j.close())
		}
		j.syslog = w
		j.follow(cfg)
	}
	return j, nil
}

// follow takes on the level of a configuration.
func (j *journal) follow(cfg *hclconfig.Config) {
	j.SetLevel(hclog.LevelFromString(cfg.LogLevel))
	if j.syslog == nil {
		return
	}
	if j.sink != nil {
		j.DeregisterSink(j.sink)
	}
	j.sink = syslogSink(j.syslog, cfg)
	j.RegisterSink(j.sink)
}

// reopen begins the log's file anew, for those who rotate logs themselves.
func (j *journal) reopen() {
	if j.file == nil {
		return
	}
	if err := j.file.Reopen(); err != nil {
		j.Error("log_file can't be opened again, the old one goes on", "error", err)
	}
}

// close releases what the log writes to.
func (j *journal) close() error {
	var err error
	if j.file != nil {
		err = j.file.Close()
	}
	if j.syslog != nil {
		err = errors.Join(err, j.syslog.Close())
	}
	return err
}
