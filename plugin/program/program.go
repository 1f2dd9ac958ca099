// Package program runs the commands that a job file names: without a shell, in a
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

// Run runs args until they end, or for timeout at most, with env in addition to
// what this process has itself, save its variables CONSUL_OCSP_* and Consul's
// token. Output is what was printed to both standard output and standard error,
// on one line and cut. An exit status other than 0 is an error. Run may be
// called concurrently.
func Run(ctx context.Context, args, env []string, stdin io.Reader, timeout time.Duration) (output string, err error) {
	if len(args) == 0 {
		return "", errors.New("no command")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	var out bounded
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(Environment(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// A grandchild that left the group may keep the output open.
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return out.String(), nil // perhaps it left something running that holds the output open
	case ctx.Err() != nil:
		return out.String(), fmt.Errorf("%s: %w", args[0], context.Cause(ctx))
	}
	return out.String(), fmt.Errorf("%s: %w", args[0], err)
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

// bounded keeps the first MaxOutput bytes written to it and drops the rest.
type bounded struct {
	b       bytes.Buffer
	dropped bool
}

func (o *bounded) Write(p []byte) (int, error) {
	room := MaxOutput - o.b.Len()
	if len(p) > room {
		o.b.Write(p[:room])
		o.dropped = true
		return len(p), nil
	}
	return o.b.Write(p)
}

// String is the output on one line.
func (o *bounded) String() string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(o.b.String(), "?")), " ")
	if o.dropped {
		s += " …"
	}
	return s
}
