package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
)

func agentCommand(e environment) *command {
	c := newCommand(e, "agent [flags]", "Runs an agent until it is stopped", `
Runs the roles that the job file gives this agent: "fetch" stands for election
and, elected, fetches, verifies and publishes OCSP responses; "deliver" keeps
this node's certificates stapled. HUP reads the configuration again; a wrong one
is refused and the old one goes on. INT and TERM stop the agent.

Example:
  consul-ocsp agent -config-dir=/etc/consul-ocsp.d
  consul-ocsp agent -dev`)
	f := configuredFlags(c)
	roles := c.flags.String("roles", "", "`roles` instead of the job file's: fetch, deliver or fetch,deliver")
	dev := c.flags.Bool("dev", false, "needs nothing: makes a CA, certificates and a responder in a temporary folder and runs on them")
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("it takes no arguments")
		}
		if *dev {
			if *roles != "" {
				return c.wrongUsage("-dev runs both roles")
			}
			return runDev(c, f)
		}
		load := func() (*hclconfig.Config, error) {
			cfg, err := f.read(c.environment)
			if err != nil || *roles == "" {
				return cfg, err
			}
			cfg.Roles, err = parseRoles(*roles)
			return cfg, err
		}
		cfg, err := load()
		if err != nil {
			reportConfiguration(c, err)
			return exitUsage
		}
		return runAgent(c, cfg, load)
	}
	return c
}

func parseRoles(s string) ([]string, error) {
	roles := strings.Split(s, ",")
	for i, role := range roles {
		if role != "fetch" && role != "deliver" || i > 0 && role == roles[0] || i > 1 {
			return nil, fmt.Errorf("-roles: %q is none of fetch, deliver, fetch,deliver", s)
		}
	}
	return roles, nil
}

// runAgent runs an agent until a signal stops it; load reads its configuration
// again.
func runAgent(c *command, cfg *hclconfig.Config, load func() (*hclconfig.Config, error)) int {
	logger, err := newLogger(c.environment, cfg)
	if err != nil {
		return c.failed(err)
	}
	defer logger.close()
	figures, err := newTelemetry(c.environment, cfg.Telemetry)
	if err != nil {
		return c.failed(err)
	}
	defer figures.stop()
	agent, err := plugin.New(cfg, plugin.Options{Version: version, Logger: logger, Metrics: figures.Metrics, Settled: newHeapPace().settle})
	if err != nil {
		return c.failed(err)
	}
	logger.Info("agent starts", "version", version, "roles", strings.Join(cfg.Roles, ","), "consul", consulOf(cfg), "jobs", len(cfg.Jobs))
	signals, stop := c.signals(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- agent.Run(context.Background()) }() // ends with agent.Stop, or by itself
	systemd := newNotifier(c.environment, agent, logger)
	defer systemd.stop()
	for {
		select {
		case <-systemd.ticks:
			systemd.ask()
		case text := <-systemd.signs:
			systemd.alive(text)
		case err := <-done:
			if err != nil {
				systemd.stopping(err.Error())
				logger.Error("agent ends", "error", err)
				return exitFailed
			}
			logger.Info("agent has stopped")
			return exitOK
		case s := <-signals:
			if s != syscall.SIGHUP {
				logger.Info("agent stops", "signal", s.String())
				systemd.stopping("stopping")
				agent.Stop()
				continue
			}
			systemd.reloading()
			logger.reopen()
			systemd.reloaded(reload(agent, cfg, load, logger))
		}
	}
}

// reload takes on the configuration as it is now, if nothing is wrong with it.
// first is what the agent was started with.
func reload(agent *plugin.Agent, first *hclconfig.Config, load func() (*hclconfig.Config, error), logger *journal) error {
	cfg, err := load()
	if err == nil {
		err = agent.Reload(cfg)
	}
	if err != nil {
		logger.Error("configuration is refused, the old one goes on", "error", err)
		return err
	}
	logger.follow(cfg)
	logger.Info("configuration is reloaded", "jobs", len(cfg.Jobs))
	if late := afterRestart(first, cfg); len(late) > 0 {
		logger.Warn("some settings count after a restart only", "settings", strings.Join(late, ", "))
	}
	return nil
}

// afterRestart are the settings that differ and that a running agent can't
// take on.
func afterRestart(a, b *hclconfig.Config) []string {
	var late []string
	for name, same := range map[string]bool{
		"log_json":             a.LogJSON == b.LogJSON,
		"log_file":             a.LogFile == b.LogFile,
		"log_rotate_bytes":     a.LogRotateBytes == b.LogRotateBytes,
		"log_rotate_max_files": a.LogRotateMaxFiles == b.LogRotateMaxFiles,
		"enable_syslog":        a.EnableSyslog == b.EnableSyslog,
		"syslog_facility":      a.SyslogFacility == b.SyslogFacility,
		"telemetry":            reflect.DeepEqual(a.Telemetry, b.Telemetry),
	} {
		if !same {
			late = append(late, name)
		}
	}
	slices.Sort(late)
	return late
}

// consulOf is where the agent meets others, for the log.
func consulOf(cfg *hclconfig.Config) string {
	if cfg.Consul == nil {
		return "none (standalone)"
	}
	return cfg.Consul.Address
}
