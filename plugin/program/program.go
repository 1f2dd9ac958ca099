// Package program runs the commands that a job file names, and servers' own
// programs: without a shell, in a
// process group of their own that is killed as a whole when the time is up, with
// what they print bounded, and without this process's Consul token.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// MaxOutput bounds what is kept of a command's output, in bytes.
const MaxOutput = 4 << 10

// ErrTimeout is the error of a command that was killed because it took too long.
var ErrTimeout = errors.New("killed, it took too long")

// Command is what is run.
type Command struct {
	// Args are the program, looked for in the PATH unless it has a slash, and its
	// arguments.
	Args []string
	// Env is its whole environment; nil: that of [Environment].
	Env []string
	// Dir is the folder that it runs in; empty: this process's.
	Dir string
}

// Run runs args until they end, or for timeout at most, with env in addition to
// what this process has itself, save its variables CONSUL_OCSP_* and Consul's
// token. Output is what was printed to both standard output and standard error,
// on one line and cut. An exit status other than 0 is an error. Run may be
// called concurrently.
func Run(ctx context.Context, args, env []string, stdin io.Reader, timeout time.Duration) (output string, err error) {
	out := head{most: MaxOutput}
	err = within(ctx, timeout, Command{Args: args, Env: append(Environment(), env...)}, stdin, &out, &out)
	output = line(out.b.Bytes())
	if out.dropped {
		output += " …"
	}
	return output, err
}

// Output runs args like [Run] and gives their standard output as it is, up to
// most bytes. An error has the end of what was printed to standard error, where
// programs say what is wrong.
func Output(ctx context.Context, args []string, most int, timeout time.Duration) (string, error) {
	out, messages := head{most: most}, tail{most: MaxOutput}
	if err := within(ctx, timeout, Command{Args: args}, nil, &out, &messages); err != nil {
		text := line(messages.b)
		if messages.dropped {
			text = "… " + text
		}
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return out.b.String(), nil
}

// Lines runs c until it ends or ctx does, and gives what was printed to both
// standard output and standard error as it is, up to most bytes, also beside an
// error. That is the cause of ctx's end, else what exec.Cmd.Run returns: it does
// not name the program.
func Lines(ctx context.Context, c Command, most int) (string, error) {
	out := head{most: most}
	err := run(ctx, c, nil, &out, &out)
	return out.b.String(), err
}

// within is run for timeout at most; an error names the program.
func within(ctx context.Context, timeout time.Duration, c Command, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	err := run(ctx, c, stdin, stdout, stderr)
	if err == nil || len(c.Args) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", c.Args[0], err)
}

func run(ctx context.Context, c Command, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(c.Args) == 0 {
		return errors.New("no command")
	}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	if cmd.Env, cmd.Dir = c.Env, c.Dir; cmd.Env == nil {
		cmd.Env = Environment()
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// A grandchild that left the group may keep the output open.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return nil // perhaps it left something running that holds the output open
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// Environment is our own environment without the variables that are ours to set
// and without Consul's token: who needs that in a command gives it there.
func Environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CONSUL_OCSP_") && !strings.HasPrefix(v, "CONSUL_HTTP_TOKEN=") {
			env = append(env, v)
		}
	}
	return env
}

// head keeps the first bytes that are written to it and drops the rest. The
// buffer is a field of its own: its ReadFrom, which io.Copy would prefer, knows no
// bound.
type head struct {
	b       bytes.Buffer
	most    int
	dropped bool
}

func (h *head) Write(p []byte) (int, error) {
	room := min(h.most-h.b.Len(), len(p))
	h.b.Write(p[:room])
	h.dropped = h.dropped || room < len(p)
	return len(p), nil
}

// tail keeps the last bytes that are written to it.
type tail struct {
	b       []byte
	most    int
	dropped bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-t.most):]...)
	if more := len(t.b) - t.most; more > 0 || len(p) > t.most {
		t.b, t.dropped = append(t.b[:0], t.b[max(0, more):]...), true
	}
	return len(p), nil
}

// line is an output on one line.
func line(b []byte) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "?")), " ")
}
