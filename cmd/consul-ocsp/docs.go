package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/cli"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// docsCommand is for who builds a release: it writes what help and the checks of
// job files say as pages.
func docsCommand(e environment) *command {
	c := newCommand(e, "docs [flags] DIR", "Writes the manual pages and the reference of the job file", `
Writes consul-ocsp.1, consul-ocsp.hcl.5 and REFERENCE.md into a folder.

Example:
  consul-ocsp docs bin/docs`)
	c.run = func(c *command, args []string) int {
		if len(args) != 1 {
			return c.wrongUsage("it takes one folder")
		}
		for name, text := range pages(commands(c.environment)) {
			if err := os.WriteFile(filepath.Join(args[0], name), []byte(text), 0o644); err != nil {
				return c.failed(err)
			}
		}
		return exitOK
	}
	return c
}

// pages are all pages, by file name.
func pages(all map[string]cli.CommandFactory) map[string]string {
	settings, blocks := hclconfig.Reference()
	return map[string]string{
		"consul-ocsp.1":     commandsManual(visible(all)),
		"consul-ocsp.hcl.5": jobFileManual(settings, blocks),
		"REFERENCE.md":      reference(settings, blocks),
	}
}

// visible are the commands that users call, by name.
func visible(all map[string]cli.CommandFactory) []*command {
	var list []*command
	for name, factory := range all {
		c, err := factory()
		if own, ok := c.(*command); err == nil && ok && !slices.Contains(hiddenCommands, name) {
			list = append(list, own)
		}
	}
	slices.SortFunc(list, func(a, b *command) int {
		switch {
		case a.usage < b.usage:
			return -1
		case a.usage > b.usage:
			return 1
		}
		return 0
	})
	return list
}
