package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

func versionCommand(e environment) *command {
	c := newCommand(e, "version", "Prints the version", `
Prints version, commit, Go's version and the platform in one line.

Example:
  consul-ocsp version`)
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("it takes no arguments")
		}
		fmt.Fprintln(c.stdout, versionLine())
		return exitOK
	}
	return c
}

func versionLine() string {
	return fmt.Sprintf("consul-ocsp v%s (%s) %s %s/%s",
		version, builtFrom(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// builtFrom is the commit that the build was told, else the one that the Go
// tool found, with a + if files had been changed since.
func builtFrom() string {
	if commit != "" {
		return commit
	}
	revision, changed := "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = "+"
			}
		}
	}
	if revision == "" {
		return "commit unknown"
	}
	return revision + changed
}
