package main

import "github.com/hashicorp/cli"

// hiddenCommands are those that the list of commands leaves out: nobody needs
// them who has a release.
var hiddenCommands = []string{"docs"}

// commands are all there are.
func commands(e environment) map[string]cli.CommandFactory {
	all := map[string]cli.CommandFactory{}
	for _, c := range []*command{
		agentCommand(e), fetchCommand(e), syncCommand(e), renderCommand(e), statusCommand(e), historyCommand(e),
		inspectCommand(e), verifyCommand(e), planCommand(e), validateCommand(e), haposCommand(e), versionCommand(e), docsCommand(e),
	} {
		all[c.flags.Name()] = c.factory()
	}
	for name, c := range testcaCommands(e) {
		all[name] = c.factory()
	}
	return all
}
