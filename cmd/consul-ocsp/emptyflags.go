package main

import (
	"flag"
	"strings"
)

// withoutEmpty leaves out what templates pass where a value is not there yet:
// empty arguments, and flags whose value is empty. consul-template removes an
// empty argument itself, so that "-cert" is followed by the next flag or by
// nothing; such a flag is left out too. A value that is the name of a flag must
// therefore be written with "=".
func withoutEmpty(flags *flag.FlagSet, args []string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(kept, args[i:]...)
		}
		if strings.TrimSpace(arg) == "" {
			continue
		}
		f, value, joined := flagOf(flags, arg)
		switch {
		case f == nil || isSwitch(f):
			kept = append(kept, arg)
		case joined && strings.TrimSpace(value) != "":
			kept = append(kept, arg)
		case joined || i+1 == len(args):
			// It has no value.
		default:
			next := args[i+1]
			if following, _, _ := flagOf(flags, next); following == nil {
				i++
				if strings.TrimSpace(next) != "" {
					kept = append(kept, arg, next)
				}
			}
		}
	}
	return kept
}

// flagOf is the flag that an argument names, as the flag package reads it, with
// its value where that is joined by "=".
func flagOf(flags *flag.FlagSet, arg string) (f *flag.Flag, value string, joined bool) {
	name, dashed := strings.CutPrefix(arg, "-")
	if !dashed {
		return nil, "", false
	}
	name, value, joined = strings.Cut(strings.TrimPrefix(name, "-"), "=")
	return flags.Lookup(name), value, joined
}

// isSwitch says whether a flag takes no value of its own.
func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}
