package main

import (
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// megabyte is the unit in which lumberjack counts.
const megabyte = 1 << 20

// newLogger is the log that the configuration asks for. close releases its
// file, if it has one. A log file that can't be written is an error at once,
// not at the first line.
func newLogger(e environment, cfg *hclconfig.Config) (logger hclog.Logger, close func(), err error) {
	out := e.stderr
	close = func() {}
	if cfg.LogFile != "" {
		file, err := openLog(cfg)
		if err != nil {
			return nil, nil, fmt.Errorf("log_file: %w", err)
		}
		out, close = file, func() { file.Close() }
	}
	return hclog.New(&hclog.LoggerOptions{
		Name: "consul-ocsp", Level: hclog.LevelFromString(cfg.LogLevel), Output: out, JSONFormat: cfg.LogJSON,
	}), close, nil
}

func openLog(cfg *hclconfig.Config) (io.WriteCloser, error) {
	f, err := os.OpenFile(cfg.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil || cfg.LogRotateBytes == 0 {
		return f, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return &lumberjack.Logger{
		Filename: cfg.LogFile, MaxSize: (cfg.LogRotateBytes + megabyte - 1) / megabyte, MaxBackups: cfg.LogRotateMaxFiles,
	}, nil
}
