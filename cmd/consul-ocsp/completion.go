package main

import (
	"flag"

	"github.com/posener/complete"
)

// AutocompleteFlags is what a shell proposes for the command's flags: files and
// folders where the flag takes one.
func (c *command) AutocompleteFlags() complete.Flags {
	flags := complete.Flags{}
	c.flags.VisitAll(func(f *flag.Flag) {
		var predictor complete.Predictor = complete.PredictNothing
		switch value, _ := flag.UnquoteUsage(f); value {
		case "file":
			predictor = complete.PredictFiles("*")
		case "folder":
			predictor = complete.PredictDirs("*")
		case "":
		default:
			predictor = complete.PredictAnything
		}
		flags["-"+f.Name] = predictor
	})
	return flags
}

// AutocompleteArgs is what a shell proposes for the command's arguments.
func (c *command) AutocompleteArgs() complete.Predictor { return complete.PredictFiles("*") }
