package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/hashicorp/cli"
)

// command is one command: what help says of it, its flags, and what it does.
// It is the one form that all files of this folder fill in.
type command struct {
	environment
	// usage is the line after "usage: consul-ocsp ", synopsis the one line in
	// the list of commands, and help what -h says besides usage and flags, with
	// an example.
	usage, synopsis, help string
	flags                 *flag.FlagSet
	run                   func(c *command, args []string) int
	// prepare, where set, changes the arguments before they are parsed.
	prepare func(flags *flag.FlagSet, args []string) []string
	// wrongFlags is the exit code for flags that are none; nil: exitUsage.
	wrongFlags func(args []string) int
}

// newCommand makes a command whose flags are yet to be added.
func newCommand(e environment, usage, synopsis, help string) *command {
	name, _, _ := strings.Cut(usage, " ")
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return &command{environment: e, usage: usage, synopsis: synopsis, help: help, flags: flags}
}

// factory is the command as the cli library wants it.
func (c *command) factory() cli.CommandFactory {
	return func() (cli.Command, error) { return c, nil }
}

// Synopsis is the command's line in the list of commands.
func (c *command) Synopsis() string { return c.synopsis }

// Help is what -h prints.
func (c *command) Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: consul-ocsp %s\n\n%s\n", c.usage, strings.TrimSpace(c.help))
	var lines int
	c.flags.VisitAll(func(f *flag.Flag) {
		if lines++; lines == 1 {
			b.WriteString("\nFlags:\n")
		}
		value, text := flag.UnquoteUsage(f)
		if value != "" {
			value = "=" + value
		}
		fmt.Fprintf(&b, "  -%s%s\n      %s", f.Name, value, text)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0s" {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		b.WriteByte('\n')
	})
	return strings.TrimRight(b.String(), "\n")
}

// Run parses the flags and runs the command.
func (c *command) Run(args []string) int {
	if c.prepare != nil {
		args = c.prepare(c.flags, args)
	}
	switch err := c.flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(c.stdout, c.Help())
		return exitOK
	case err != nil:
		code := c.wrongUsage("%v", err)
		if c.wrongFlags != nil {
			code = c.wrongFlags(args)
		}
		return code
	}
	return c.run(c, c.flags.Args())
}

// wrongUsage says what is wrong with flags or arguments, and how it is right.
func (c *command) wrongUsage(format string, args ...any) int {
	c.complain(fmt.Sprintf(format, args...))
	fmt.Fprintf(c.stderr, "usage: consul-ocsp %s\n", c.usage)
	return exitUsage
}

// failed says why the command could not do what it was asked.
func (c *command) failed(err error) int {
	c.complain(err.Error())
	return exitFailed
}

// complain prints what is wrong, each further line of it indented: errors hold
// words of responders and names of files, and none may look like another
// message.
func (c *command) complain(text string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	fmt.Fprintf(c.stderr, "consul-ocsp %s: %s\n", c.flags.Name(), strings.Join(lines, "\n  "))
}

// printJSON prints a result for programs.
func (c *command) printJSON(v any) error {
	out := json.NewEncoder(c.stdout)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// printable replaces what a terminal might act on, marks that turn the
// direction of writing included: names and errors can come from anybody.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
