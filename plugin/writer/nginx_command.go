package writer

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
)

const (
	// reloadTimeout bounds a test or a reload.
	reloadTimeout = 2 * time.Minute
	// maxDump bounds what is read of a configuration.
	maxDump = 32 << 20
)

// dumping is a test that prints the configuration too: nginx -T does what -t
// does. dumps is false for other commands, which stay as they are.
func dumping(test []string) (args []string, dumps bool) {
	i := slices.Index(test, "-t")
	if filepath.Base(test[0]) != "nginx" || i < 0 {
		return test, false
	}
	args = slices.Clone(test)
	args[i] = "-T"
	return args, true
}

// runReload runs a command to its end and gives what it printed. The error has
// the end of its messages, which is where nginx says what is wrong.
func runReload(ctx context.Context, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	out, messages := capped{limit: maxDump}, capped{limit: maxDump}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = program.Environment()
	cmd.Stdout, cmd.Stderr = &out, &messages
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success() {
		err = nil // it left something running that holds the output open
	}
	if err != nil {
		text := strings.Join(strings.Fields(strings.ToValidUTF8(messages.String(), "?")), " ")
		if len(text) > program.MaxOutput {
			text = "… " + text[len(text)-program.MaxOutput:]
		}
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, text)
	}
	return out.String(), nil
}

// capped keeps so much of what is written to it.
type capped struct {
	strings.Builder
	limit int
}

func (c *capped) Write(p []byte) (int, error) {
	if room := c.limit - c.Len(); room > 0 {
		c.Builder.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
