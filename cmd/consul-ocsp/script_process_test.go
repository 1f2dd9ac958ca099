package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptDeadline ends what a script waits for.
const scriptDeadline = 30 * time.Second

// process is a program that a script started.
type process struct {
	cmd  *exec.Cmd
	done chan error // gets the end of the program, once
}

// processesKey is where a script keeps its processes, by name.
type processesKey struct{}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value(processesKey{}).(map[string]*process)
}

// cmdExits is "exits CODE program args…": exec, with the very exit code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, not %d", args[1], got, want)
	}
}

// cmdStart is "start NAME program args…": runs the program beside the script,
// its output going to the files NAME.out and NAME.err.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start name program [args...]")
	}
	name := args[0]
	if processes(ts)[name] != nil {
		ts.Fatalf("%s runs already", name)
	}
	path := args[1]
	if !strings.Contains(path, "/") {
		found, err := exec.LookPath(path)
		ts.Check(err)
		path = found
	}
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, v := range []string{"PATH", "HOME", "TMPDIR", "WORK", "GORACE"} {
		cmd.Env = append(cmd.Env, v+"="+ts.Getenv(v))
	}
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ts.Check(cmd.Start())
	p := &process{cmd: cmd, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }() // ends with the program, which the script's end kills
	processes(ts)[name] = p
	ts.Defer(func() {
		if processes(ts)[name] == p {
			_ = cmd.Process.Kill()
			<-p.done
		}
	})
}

// cmdEnd is "end NAME [INT|TERM|KILL]": the program must end with 0 after the
// signal, TERM by default, unless that was KILL. "! end" wants another code.
func cmdEnd(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}
	name, signal := "", "TERM"
	switch len(args) {
	case 2:
		signal = args[1]
		fallthrough
	case 1:
		name = args[0]
	}
	p := processes(ts)[name]
	if p == nil || signals[signal] == nil {
		ts.Fatalf("usage: end name [INT|TERM|KILL]; %q must have been started", name)
	}
	ts.Check(p.cmd.Process.Signal(signals[signal]))
	select {
	case err := <-p.done:
		delete(processes(ts), name)
		if signal != "KILL" && (err != nil) != neg {
			ts.Fatalf("%s ended: %v\n%s", name, err, ts.ReadFile(name+".err"))
		}
	case <-time.After(scriptDeadline):
		ts.Fatalf("%s does not end after %s", name, signal)
	}
}

// cmdSignal is "signal NAME HUP": the program goes on.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || processes(ts)[args[0]] == nil || args[1] != "HUP" {
		ts.Fatalf("usage: signal name HUP")
	}
	ts.Check(processes(ts)[args[0]].cmd.Process.Signal(syscall.SIGHUP))
}

// cmdWaitFor is "waitfor FILE REGEXP": until the file has a match.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor file regexp")
	}
	await(ts, args[0], args[1])
}

// cmdCapture is "capture VARIABLE FILE REGEXP": waitfor, and the variable gets
// what the first group matched.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture variable file regexp")
	}
	match := await(ts, args[1], args[2])
	if len(match) < 2 {
		ts.Fatalf("%s has no group", args[2])
	}
	ts.Setenv(args[0], match[1])
}

func await(ts *testscript.TestScript, file, pattern string) []string {
	re, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(scriptDeadline)
	for {
		data, err := os.ReadFile(ts.MkAbs(file))
		if match := re.FindStringSubmatch(string(data)); err == nil && match != nil {
			return match
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s never had %q; it has:\n%s", file, pattern, data)
		}
	}
}

// cmdFreePort is "freeport VARIABLE": a TCP port of 127.0.0.1 that was free a
// moment ago. Better let the program choose one, and capture it.
func cmdFreePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport variable")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}
