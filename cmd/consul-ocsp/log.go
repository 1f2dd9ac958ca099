package main

import (
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// journal is a logger and where it writes.
type journal struct {
	hclog.Logger
	file *logFile // nil: standard error
}

// newLogger is the log that the configuration asks for. A log file that can't
// be written is an error at once, not at the first line.
func newLogger(e environment, cfg *hclconfig.Config) (*journal, error) {
	l := &journal{}
	var out io.Writer = e.stderr
	if cfg.LogFile != "" {
		file, err := openLogFile(cfg.LogFile, cfg.LogRotateBytes, cfg.LogRotateMaxFiles)
		if err != nil {
			return nil, fmt.Errorf("log_file: %w", err)
		}
		l.file, out = file, file
	}
	l.Logger = hclog.New(&hclog.LoggerOptions{
		Name: "consul-ocsp", Level: hclog.LevelFromString(cfg.LogLevel), Output: out, JSONFormat: cfg.LogJSON,
	})
	return l, nil
}

// reopen begins the log's file anew, for those who rotate logs themselves.
func (l *journal) reopen() {
	if l.file == nil {
		return
	}
	if err := l.file.Reopen(); err != nil {
		l.Error("log_file can't be opened again, the old one goes on", "error", err)
	}
}

// close releases the log's file.
func (l *journal) close() {
	if l.file != nil {
		l.file.Close()
	}
}
