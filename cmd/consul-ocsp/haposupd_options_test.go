package main

import (
	"log/syslog"
	"slices"
	"strings"
	"testing"
)

// Options are read as shell scripts read them, too: together, with their values
// right behind them, and values that look like options.
func TestShortOptions(t *testing.T) {
	t.Parallel()
	c := haposCommand(environment{})
	for args, want := range map[string]string{
		"":                        "",
		"-d -c www.pem":           "-d -c www.pem",
		"-dgS":                    "-d -g -S",
		"-dcwww.pem":              "-d -c www.pem",
		"-dc www.pem -g":          "-d -c www.pem -g",
		"-s=/run/s -l27":          "-s=/run/s -l 27",
		"-v - -d":                 "-v - -d",
		"-v -d -g":                "-v -d -g", // -d is the file's name
		"--VAfile -dg":            "--VAfile -dg",
		"-VAfile -dg":             "-VAfile -dg",
		"-dh":                     "-h",
		"-dx":                     "-dx",
		"-debug --debug":          "-debug --debug",
		"-- -dg":                  "-- -dg",
		"www.pem -dg":             "www.pem -d -g",
		"--cert=www.pem -dS --no": "--cert=www.pem -d -S --no",
		"-dc":                     "-d -c",
	} {
		if got := splitShort(c.flags, strings.Fields(args)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q is read as %q, not %q", args, got, strings.Fields(want))
		}
	}
}

func TestSyslogPriority(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]syslog.Priority{
		"": 0, "0": 0, "191": 191, "27": syslog.LOG_DAEMON | syslog.LOG_ERR, "daemon.err": 27, "local7.debug": 191,
		"USER.Warn": syslog.LOG_USER | syslog.LOG_WARNING, "security.info": syslog.LOG_AUTH | syslog.LOG_INFO, "kern.panic": 0,
	} {
		if got, err := syslogPriority(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"-1", "192", "daemon", "daemon.", ".err", "daemon.err.err", "loud.err", "daemon loud"} {
		if got, err := syslogPriority(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
