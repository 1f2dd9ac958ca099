package main

import (
	"flag"
	"fmt"
	"log/syslog"
	"strconv"
	"strings"
)

// splitShort writes short options that stand together ("-dg"), or with their
// value ("-s/run/haproxy.sock"), as the flag package reads them.
func splitShort(flags *flag.FlagSet, args []string) []string {
	var all []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(all, args[i:]...)
		}
		split, lacks := splitOne(flags, arg)
		all = append(all, split...)
		if lacks && i+1 < len(args) { // its value, whatever that looks like
			i++
			all = append(all, args[i])
		}
	}
	return all
}

// splitOne is one argument, and whether the next one is the value of its last
// option.
func splitOne(flags *flag.FlagSet, arg string) (split []string, lacks bool) {
	if f, _, joined := flagOf(flags, arg); f != nil {
		return []string{arg}, !joined && !isSwitch(f)
	}
	if len(arg) < 3 || arg[0] != '-' || arg[1] == '-' {
		return []string{arg}, false
	}
	for i := 1; i < len(arg); i++ {
		f := flags.Lookup(arg[i : i+1])
		switch {
		case f == nil && arg[i] == 'h':
			return []string{"-h"}, false
		case f == nil:
			return []string{arg}, false
		case isSwitch(f):
			split = append(split, "-"+f.Name)
		case i+1 < len(arg):
			return append(split, "-"+f.Name, strings.TrimPrefix(arg[i+1:], "=")), false
		default:
			return append(split, "-"+f.Name), true
		}
	}
	return split, false
}

// syslogPriority reads a priority as logger(1) does: its number, 0 to 191, or
// facility.level.
func syslogPriority(text string) (syslog.Priority, error) {
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > 191 {
			return 0, fmt.Errorf("%d is not between 0 and 191", n)
		}
		return syslog.Priority(n), nil
	}
	facility, level, _ := strings.Cut(text, ".")
	if facility == "security" {
		facility = "auth"
	}
	f, known := facilities[strings.ToUpper(facility)]
	l, fits := levels[strings.ToLower(level)]
	if !known || !fits {
		return 0, fmt.Errorf("%.40q is neither a number nor facility.level, such as daemon.err", text)
	}
	return f | l, nil
}

// levels are syslog's, by their names.
var levels = map[string]syslog.Priority{
	"emerg": syslog.LOG_EMERG, "panic": syslog.LOG_EMERG, "alert": syslog.LOG_ALERT, "crit": syslog.LOG_CRIT,
	"err": syslog.LOG_ERR, "error": syslog.LOG_ERR, "warning": syslog.LOG_WARNING, "warn": syslog.LOG_WARNING,
	"notice": syslog.LOG_NOTICE, "info": syslog.LOG_INFO, "debug": syslog.LOG_DEBUG,
}

// report is where errors go: standard error, and syslog if that is wanted.
type report struct {
	*command
	priority syslog.Priority
	tagged   bool
}

// asOptions names options where errors name what a job file has for them.
var asOptions = strings.NewReplacer("list it in trusted_folders", "name it by --trusted-folder", "lock_dir", "--lock-dir")

// say reports one error. That syslog can't be reached is said on standard
// error, and changes nothing else.
func (r report) say(text string) {
	text = asOptions.Replace(text)
	r.complain(text)
	if !r.tagged {
		return
	}
	w, err := syslog.New(r.priority, haposName)
	if err == nil {
		_, err = w.Write([]byte(printable(strings.ReplaceAll(text, "\n", "; "))))
		w.Close()
	}
	if err != nil {
		r.complain("--syslog: " + err.Error())
	}
}
