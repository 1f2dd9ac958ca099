// Command consul-ocsp fetches each OCSP response once per cluster and has it
// stapled on every node.
//
// The rules of its output: results go to standard output, and only results;
// everything else, logs and diagnostics included, goes to standard error. A
// command ends with 0 when it did what it was asked, 1 when it failed, 2 when
// flags, arguments or configuration are wrong, 3 when some of it failed. Where
// a command's help says otherwise, that counts.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/hashicorp/cli"
)

// version and commit are set by the build.
var (
	version = "0.1.0-dev"
	commit  = ""
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitSome   = 3
)

func main() {
	os.Exit(run(arguments(os.Args), environment{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookup: os.LookupEnv, signals: osSignals,
	}))
}

// arguments are those of the command line. Called through a link that bears the
// name of a script which a command stands in for, the program is that command.
func arguments(line []string) []string {
	if filepath.Base(line[0]) == haposName {
		return append([]string{haposName}, line[1:]...)
	}
	return line[1:]
}

// environment is what a command has of the world outside.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookup         func(name string) (string, bool)
	// signals delivers the listed signals until stop is called.
	signals func(list ...os.Signal) (c <-chan os.Signal, stop func())
}

func osSignals(list ...os.Signal) (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 4)
	signal.Notify(c, list...)
	return c, func() { signal.Stop(c) }
}

// interrupted is a context that ends with INT or TERM.
func (e environment) interrupted() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c, stop := e.signals(os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the returned function, which cancels ctx
		select {
		case <-c:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { stop(); cancel() }
}

// run runs the command that args name, and returns its exit code.
func run(args []string, e environment) int {
	if len(args) == 1 && (args[0] == "-version" || args[0] == "--version" || args[0] == "-v") {
		args = []string{"version"}
	}
	program := &cli.CLI{
		Name: "consul-ocsp", Args: args, Commands: commands(e),
		HelpFunc: cli.BasicHelpFunc("consul-ocsp"), HelpWriter: e.stdout, ErrorWriter: e.stderr,
		Autocomplete: true, HiddenCommands: hiddenCommands,
	}
	code, err := program.Run()
	if err != nil {
		fmt.Fprintln(e.stderr, "consul-ocsp:", err)
		return exitFailed
	}
	if code == 127 { // what the library says for a command that is none
		return exitUsage
	}
	return code
}
