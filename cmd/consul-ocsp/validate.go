package main

import (
	"fmt"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
)

func validateCommand(e environment) *command {
	c := newCommand(e, "validate [flags]", "Checks the configuration", `
Reads the job files and says whether they are right. If not, everything that is
wrong is shown at once, with file, line and remedy. Whether certificates and
sockets are there is not looked at; but where certificates can be read and
allowed_responders excludes all of them, there is a warning.

Exit codes: 0 valid, 2 not valid.

Example:
  consul-ocsp validate -config-file=web.hcl -config-file=consul.hcl`)
	f := configuredFlags(c)
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("it takes no arguments: name a file with -config-file=%s", printable(args[0]))
		}
		cfg, ok := f.load(c)
		if !ok {
			return exitUsage
		}
		for _, warning := range plugin.Excluded(cfg) {
			fmt.Fprintf(c.stderr, "Warning: %s\n", printable(warning))
		}
		fmt.Fprintln(c.stdout, "configuration is valid")
		t := newTable(c.stdout)
		t.row("files", strings.Join(cfg.Files, ", "))
		t.row("roles", strings.Join(cfg.Roles, ", "))
		t.row("mode", mode(cfg))
		t.row("jobs", jobNames(cfg))
		t.row("certificates", certificateCount(cfg))
		t.flush()
		return exitOK
	}
	return c
}

// mode says where responses are shared.
func mode(cfg *hclconfig.Config) string {
	if cfg.Consul == nil {
		return "standalone in " + cfg.DataDir
	}
	return fmt.Sprintf("cluster through Consul at %s, keys below %s", cfg.Consul.Address, cfg.Consul.Path)
}

func jobNames(cfg *hclconfig.Config) string {
	if len(cfg.Jobs) == 0 {
		return "none; announced certificates only"
	}
	names := make([]string, len(cfg.Jobs))
	for i, job := range cfg.Jobs {
		names[i] = job.Name
	}
	return strings.Join(names, ", ")
}

// certificateCount says how many certificates are named, and how many blocks
// find some when the agent runs.
func certificateCount(cfg *hclconfig.Config) string {
	named, found := 0, 0
	for _, job := range cfg.Jobs {
		named += len(job.Certificates)
		found += len(job.Globs) + len(job.CrtLists) + len(job.HAProxyConfig)
	}
	text := fmt.Sprintf("%d by name", named)
	if found > 0 {
		text += fmt.Sprintf(", more by %d blocks of paths", found)
	}
	return text
}
