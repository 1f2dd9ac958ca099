package haproxy

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// maxOutput bounds what is kept of a program's output, in bytes.
const maxOutput = 64 << 10

// run runs a program, which ends with ctx together with its children.
func run(ctx context.Context, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	out := &boundedOutput{most: maxOutput}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success() {
		err = nil // a child that stays in the background keeps the output open
	}
	return out.String(), err
}

// boundedOutput keeps the first bytes that are written to it and drops the rest.
type boundedOutput struct {
	bytes.Buffer
	most int
}

func (o *boundedOutput) Write(b []byte) (int, error) {
	if room := o.most - o.Len(); room > 0 {
		o.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
