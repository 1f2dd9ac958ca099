package program

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// long is a time that no test waits for.
const long = time.Minute

func sh(script string, args ...string) []string {
	return append([]string{"sh", "-c", script, "sh"}, args...)
}

func TestRunSaysWhatWasPrinted(t *testing.T) {
	for name, c := range map[string]struct {
		script, want string
	}{
		"both streams on one line": {`echo one; echo "  two" >&2; printf 'three\r\n'`, "one two three"},
		"nothing":                  {":", ""},
		"no UTF-8":                 {`printf 'a\377b'`, "a?b"},
		"no shell of ours":         {`echo "$1"`, "$(id)"},
	} {
		out, err := Run(t.Context(), sh(c.script, "$(id)"), nil, nil, long)
		if err != nil || out != c.want {
			t.Errorf("%s: %q, %v; want %q", name, out, err, c.want)
		}
	}
}

func TestRunBoundsWhatIsKept(t *testing.T) {
	// Far more than a pipe holds: it must be read to its end all the same.
	out, err := Run(t.Context(), sh(`head -c 1000000 /dev/zero | tr '\0' x; echo end >&2`), nil, nil, long)
	if err != nil || len(out) != MaxOutput+len(" …") || !strings.HasPrefix(out, "xxx") || !strings.HasSuffix(out, "x …") {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	exact, err := Run(t.Context(), sh(`head -c 4096 /dev/zero | tr '\0' x`), nil, nil, long)
	if err != nil || len(exact) != MaxOutput {
		t.Errorf("%d bytes of %d, %v", len(exact), MaxOutput, err)
	}
}

func TestRunFails(t *testing.T) {
	out, err := Run(t.Context(), sh("echo why; exit 3"), nil, nil, long)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || out != "why" || err.Error() != "sh: exit status 3" {
		t.Errorf("%q, %v; want the output and exit status 3", out, err)
	}
	_, err = Run(t.Context(), sh("kill -9 $$"), nil, nil, long)
	if err == nil || !strings.Contains(err.Error(), "signal: killed") || errors.Is(err, ErrTimeout) {
		t.Errorf("killed by another: %v", err)
	}
	for want, args := range map[string][]string{
		"no command":       nil,
		"no such file":     {"/nowhere/program"},
		"not found":        {"no-program-has-this-name"},
		"permission denie": {t.TempDir()},
	} {
		if _, err := Run(t.Context(), args, nil, nil, long); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", args, err, want)
		}
	}
}

func TestRunHandsOverEnvironmentAndInput(t *testing.T) {
	t.Setenv("CONSUL_HTTP_TOKEN", "secret")
	t.Setenv("CONSUL_OCSP_CONFIG", "/somewhere")
	t.Setenv("CONSUL_HTTP_ADDR", "127.0.0.1:8500")
	t.Setenv("OURS", "stays")
	file := filepath.Join(t.TempDir(), "out")
	_, err := Run(t.Context(), sh(`env > "$1"; cat >> "$1"`, file), []string{"CONSUL_OCSP_ID=ab", "OURS=changed"}, strings.NewReader("the input"), long)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := "\n" + string(b)
	for _, want := range []string{"\nCONSUL_OCSP_ID=ab\n", "\nOURS=changed\n", "\nCONSUL_HTTP_ADDR=127.0.0.1:8500\n", "\nthe input"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in%s", want, text)
		}
	}
	for _, bad := range []string{"secret", "/somewhere"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q was handed on", bad)
		}
	}
	// Not reading the input is no failure.
	if _, err := Run(t.Context(), sh("exec <&-"), nil, strings.NewReader(strings.Repeat("x", 1<<20)), long); err != nil {
		t.Errorf("who does not read: %v", err)
	}
}

// watched is a pipe for a program to write to, and what was written, told when
// nobody has it open any more.
func watched(t *testing.T) (pipe string, held <-chan string) {
	t.Helper()
	pipe = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() { // ends when nobody has the pipe open
		b, _ := os.ReadFile(pipe)
		text <- string(b)
	}()
	return pipe, text
}

func wantKilled(t *testing.T, held <-chan string) {
	t.Helper()
	select {
	case text := <-held:
		if text != "started\n" {
			t.Errorf("it wrote %q", text)
		}
	case <-time.After(20 * time.Second):
		t.Error("a process of the group still runs")
	}
}

// A child and a grandchild that ignore what they can ignore.
const stubborn = `trap '' TERM HUP INT; exec 9>"$1"; echo started >&9; echo begun; sh -c 'trap "" TERM; sleep 300' & sleep 300 & wait`

func TestRunKillsTheGroupWhenTheTimeIsUp(t *testing.T) {
	pipe, held := watched(t)
	out, err := Run(t.Context(), sh(stubborn, pipe), nil, nil, time.Second)
	if !errors.Is(err, ErrTimeout) || out != "begun" {
		t.Errorf("%q, %v; want what it printed, and %v", out, err, ErrTimeout)
	}
	wantKilled(t, held)
}

func TestRunKillsTheGroupWithItsContext(t *testing.T) {
	pipe, held := watched(t)
	gone := errors.New("the agent stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	ready, begun := watched(t)
	go func() { <-begun; cancel(gone) }() // ends when the program has begun
	if _, err := Run(ctx, sh(`exec 9>"$1"; echo started >&9; : > "$2"; sleep 300`, pipe, ready), nil, nil, long); !errors.Is(err, gone) || errors.Is(err, ErrTimeout) {
		t.Errorf("%v; want %v", err, gone)
	}
	wantKilled(t, held)
}

// What a program leaves running keeps nobody waiting, though it has its output.
func TestRunDoesNotWaitForADaemon(t *testing.T) {
	out, err := Run(t.Context(), sh("echo done; setsid sleep 5 & exit 0"), nil, nil, long)
	if err != nil || out != "done" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := Run(t.Context(), sh("setsid sleep 5 & exit 1"), nil, nil, long); err == nil {
		t.Error("a failure that leaves something running is a success")
	}
}

func TestOutput(t *testing.T) {
	out, err := Output(t.Context(), sh(`printf 'a\n b\n'; echo no >&2`), 100, long)
	if err != nil || out != "a\n b\n" {
		t.Errorf("%q, %v; want standard output as it is", out, err)
	}
	if out, err = Output(t.Context(), sh("echo 0123456789"), 4, long); err != nil || out != "0123" {
		t.Errorf("%q, %v; want the first 4 bytes", out, err)
	}
	// An error has the end of the messages, in any portions.
	_, err = Output(t.Context(), sh(`echo output; { head -c 100000 /dev/zero | tr '\0' x; for i in 1 2 3; do echo "part $i"; done; } >&2; exit 1`), 100, long)
	if err == nil || !strings.HasPrefix(err.Error(), "sh: exit status 1: … xxx") || !strings.HasSuffix(err.Error(), "xpart 1 part 2 part 3") ||
		strings.Contains(err.Error(), "output") || len(err.Error()) > MaxOutput+100 {
		t.Errorf("%.60q… of %d bytes", err, len(err.Error()))
	}
	if _, err = Output(t.Context(), sh("echo bad >&2; exit 1"), 100, long); err == nil || err.Error() != "sh: exit status 1: bad" {
		t.Errorf("%v", err)
	}
	if _, err = Output(t.Context(), sh("sleep 300"), 100, 100*time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Errorf("%v; want %v", err, ErrTimeout)
	}
}

// What a program prints is read to its end and kept up to the bound, line by line;
// with an error, too.
func TestLines(t *testing.T) {
	folder := t.TempDir()
	out, err := Lines(t.Context(), Command{Args: sh(`pwd; env; echo no >&2; exit 3`), Env: []string{"A=b", "PATH=" + os.Getenv("PATH"), "PWD=" + folder}, Dir: folder}, 1000)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || err.Error() != "exit status 3" {
		t.Errorf("%v", err)
	}
	if !strings.HasPrefix(out, folder+"\n") || !strings.Contains(out, "\nA=b\n") || !strings.HasSuffix(out, "\nno\n") || strings.Contains(out, "HOME=") {
		t.Errorf("%q", out)
	}
	out, err = Lines(t.Context(), Command{Args: sh(`head -c 1000000 /dev/zero | tr '\0' x`)}, 1000)
	if err != nil || len(out) != 1000 {
		t.Errorf("%d bytes, %v; want the first 1000", len(out), err)
	}
	t.Setenv("CONSUL_HTTP_TOKEN", "secret")
	if out, err = Lines(t.Context(), Command{Args: sh("env")}, 100000); err != nil || strings.Contains(out, "secret") {
		t.Errorf("Consul's token was handed on, or %v", err)
	}
	gone := errors.New("the agent stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := Lines(ctx, Command{Args: sh("exit 0")}, 1000); !errors.Is(err, gone) {
		t.Errorf("%v; want %v", err, gone)
	}
	if _, err := Lines(t.Context(), Command{}, 1000); err == nil {
		t.Error("no command is run without an error")
	}
}

func TestTail(t *testing.T) {
	for _, parts := range [][]string{{"abcdefgh"}, {"abcd", "efgh"}, {"a", "b", "c", "d", "e", "fgh"}, {"abcdefg", "h"}} {
		x := tail{most: 4}
		for _, p := range parts {
			if n, err := x.Write([]byte(p)); n != len(p) || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if string(x.b) != "efgh" || !x.dropped {
			t.Errorf("%q of %q, dropped %v", x.b, parts, x.dropped)
		}
	}
	x := tail{most: 4}
	if _, _ = x.Write([]byte("abcd")); string(x.b) != "abcd" || x.dropped {
		t.Errorf("%q, dropped %v", x.b, x.dropped)
	}
}
