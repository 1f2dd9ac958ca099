package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// configured are the flags that every command has that reads job files.
type configured struct {
	paths    list
	logLevel string
	logJSON  bool
	logFile  string
}

// configuredFlags adds them to a command.
func configuredFlags(c *command) *configured {
	f := &configured{}
	c.flags.Func("config-file", "job `file`; may be given several times", f.paths.Set)
	c.flags.Func("config-dir", "`folder` whose *.hcl files are read in lexical order; may be given several times (default: the files and folders in CONSUL_OCSP_CONFIG, \":\" between, else /etc/consul-ocsp.d)", f.paths.Set)
	c.flags.StringVar(&f.logLevel, "log-level", "", "`level`: trace, debug, info, warn, error or off; wins over the job file")
	c.flags.BoolVar(&f.logJSON, "log-json", false, "log JSON; wins over the job file")
	c.flags.StringVar(&f.logFile, "log-file", "", "log to this `file`; wins over the job file")
	return f
}

// load reads the configuration; if it is wrong, it says so and ok is false.
func (f *configured) load(c *command) (cfg *hclconfig.Config, ok bool) {
	cfg, err := f.read(c.environment)
	if err == nil {
		return cfg, true
	}
	reportConfiguration(c, err)
	return nil, false
}

// read reads the configuration with the flags over it.
func (f *configured) read(e environment) (*hclconfig.Config, error) {
	paths := []string(f.paths)
	if len(paths) == 0 {
		paths = hclconfig.DefaultPaths(e.lookup)
	}
	cfg, err := hclconfig.Load(hclconfig.LoadOptions{Paths: paths, Environ: e.lookup})
	if err != nil {
		return nil, err
	}
	if f.logLevel != "" {
		if hclog.LevelFromString(f.logLevel) == hclog.NoLevel {
			return nil, fmt.Errorf("-log-level: %q is none of trace, debug, info, warn, error, off", f.logLevel)
		}
		cfg.LogLevel = f.logLevel
	}
	cfg.LogJSON = cfg.LogJSON || f.logJSON
	if f.logFile != "" {
		cfg.LogFile = f.logFile
	}
	return cfg, nil
}

// reportConfiguration prints what is wrong with a configuration: diagnostics
// with file, line and snippet where there are some.
func reportConfiguration(c *command, err error) {
	var diagnostics *hclconfig.Diagnostics
	if !errors.As(err, &diagnostics) {
		c.complain(err.Error())
		return
	}
	if err := diagnostics.Write(c.stderr, c.coloured(c.stderr), widthOf(c.terminalOf(c.stderr))); err != nil {
		c.complain(err.Error())
	}
}
