package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/regularfile"
)

// running is how a HAProxy was started.
type running struct {
	binary, dir string
	loader      []string // what comes before HAProxy's own arguments, where the system's loader was told to run it
	args, env   []string
}

// masterOf finds the master of a worker, or the worker itself where there is no
// master. pid is what answered a socket said, so only a process of our own user
// is believed, and only if its executable is HAProxy: what it was started with
// is run again.
func masterOf(pid int) (running, bool) {
	for _, pid := range []int{parent(pid), pid} {
		if r, ok := process(pid); ok {
			return r, true
		}
	}
	return running{}, false
}

// files are what HAProxy was told to load, for messages.
func (r running) files() string {
	var list []string
	for i, a := range r.args {
		if a == "-f" && i+1 < len(r.args) {
			list = append(list, r.args[i+1])
		}
	}
	return strings.Join(list, ", ")
}

func process(pid int) (running, bool) {
	proc := fmt.Sprintf("/proc/%d", pid)
	if pid <= 1 || !ours(proc) || !sameFolders(proc) {
		return running{}, false
	}
	binary, err := os.Readlink(proc + "/exe")
	if err != nil {
		return running{}, false
	}
	// After an upgrade the next one that is started is the new one.
	binary = strings.TrimSuffix(binary, " (deleted)")
	args, env := words(proc+"/cmdline"), words(proc+"/environ")
	r := running{binary: binary, env: env}
	switch name := filepath.Base(binary); {
	case len(args) == 0 || len(env) == 0:
		return running{}, false
	case strings.HasPrefix(name, "haproxy"):
		r.args = configArgs(args[1:])
	case strings.HasPrefix(name, "ld-"):
		i := loaded(args)
		if i < 0 {
			return running{}, false
		}
		r.loader, r.args = args[1:i+1], configArgs(args[i+1:])
	default:
		return running{}, false
	}
	if r.dir, err = os.Readlink(proc + "/cwd"); err != nil || len(r.args) == 0 {
		return running{}, false
	}
	if root, err := os.Readlink(proc + "/root"); err != nil || root != "/" {
		return running{}, false
	}
	// What a master leaves for itself, and for systemd.
	r.env = slices.DeleteFunc(r.env, func(v string) bool {
		return strings.HasPrefix(v, "HAPROXY_MWORKER") || strings.HasPrefix(v, "HAPROXY_STARTUPLOGS_FD=") || strings.HasPrefix(v, "NOTIFY_SOCKET=")
	})
	return r, true
}

// loaded is which argument of the system's loader is a HAProxy to run, -1 if
// none is.
func loaded(args []string) int {
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "--argv0" || args[i] == "--library-path" || args[i] == "--preload":
			i++
		case strings.HasPrefix(filepath.Base(args[i]), "haproxy"):
			return i
		}
	}
	return -1
}

// ours reports whether all user ids of a process are the one that we run as.
// The owner of its folder in /proc says less.
func ours(proc string) bool {
	b, err := os.ReadFile(proc + "/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		ids, ok := strings.CutPrefix(line, "Uid:")
		if !ok {
			continue
		}
		fields, me := strings.Fields(ids), strconv.Itoa(os.Geteuid())
		return len(fields) == 4 && !slices.ContainsFunc(fields, func(id string) bool { return id != me })
	}
	return false
}

// parent is the process that started pid, 0 if unknown.
func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	id, _ := strconv.Atoi(fields[1])
	return id
}

// words are the parts of a file in /proc that end in NUL.
func words(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// configArgs are those of HAProxy's arguments that say what is loaded. A master
// that has reloaded was started by itself, with more arguments than at first.
func configArgs(args []string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-f", "-C", "-L", "-n", "-N", "-m":
			if i+1 < len(args) {
				kept = append(kept, args[i], args[i+1])
			}
			i++
		case "-p", "-S", "-x":
			i++
		case "-dW", "-dr":
			kept = append(kept, args[i])
		case "--":
			for _, file := range args[i+1:] {
				kept = append(kept, "-f", file)
			}
			return kept
		}
	}
	return kept
}

// sameFolders reports whether a process sees the files that we see.
func sameFolders(proc string) bool {
	ours, err := os.Readlink("/proc/self/ns/mnt")
	theirs, err2 := os.Readlink(proc + "/ns/mnt")
	return err == nil && err2 == nil && ours == theirs
}

// Strict reports whether the HAProxy that answers does not start with warnings:
// by -dW, or by zero-warning in a file that it was started with. False if that
// can't be found out, as in [Client.Reload].
func (c *Client) Strict(ctx context.Context) (bool, error) {
	info, err := c.Info(ctx)
	if err != nil || !filepath.IsAbs(c.config.Socket) {
		return false, err
	}
	r, ok := masterOf(info.Pid)
	return ok && r.strict(), nil
}

func (r running) strict() bool {
	for i, a := range r.args {
		if a == "-dW" || a == "-f" && i+1 < len(r.args) && zeroWarning(r.args[i+1], r.dir) {
			return true
		}
	}
	return false
}

// zeroWarning reports whether a file of HAProxy's configuration, or one of a
// folder of them, has that line.
func zeroWarning(path, dir string) bool {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	files, _ := filepath.Glob(filepath.Join(path, "*.cfg"))
	for _, file := range append(files, path) {
		b, _, err := regularfile.Read(file, maxConfig)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 0 && f[0] == "zero-warning" {
				return true
			}
		}
	}
	return false
}

// maxConfig bounds what is read of a file of HAProxy's configuration, in bytes.
const maxConfig = 32 << 20
