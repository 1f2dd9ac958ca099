package haproxy

import (
	"bytes"
	"errors"
	"os/exec"
	"syscall"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
)

// maxOutput bounds what is kept of a program's output, in bytes.
const maxOutput = 64 << 10

// run runs a program made with a context, with which it ends together with its
// children, and returns the beginning of what it wrote. One without an environment
// of its own has ours, save Consul's token.
func run(cmd *exec.Cmd) (string, error) {
	if cmd.Env == nil {
		cmd.Env = program.Environment()
	}
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
