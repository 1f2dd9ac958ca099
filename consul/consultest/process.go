package consultest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// process is one run of the program.
type process struct {
	cmd *exec.Cmd
	// ended is done when the process has ended and was waited for.
	ended context.Context
}

// startProcess runs an agent with the configuration in a folder; its output is appended to a file. program is the
// command's words before those of the agent.
func startProcess(program []string, configFolder, logFile string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	words := append(slices.Clone(program), "agent", "-config-dir", configFolder)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = withoutConsul(os.Environ())
	cmd.SysProcAttr = endWithParent()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended, markEnded := context.WithCancel(context.Background())
	p := &process{cmd: cmd, ended: ended}
	// Ends when the process ends, which terminate and kill wait for.
	go func() {
		defer markEnded()
		_ = cmd.Wait() // how it ended is in its log
	}()
	return p, nil
}

// terminate asks the process to end and waits; it kills it and returns false when that takes too long.
func (p *process) terminate(timeout time.Duration) bool {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // or it would not see the first
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.ended.Done():
		return true
	case <-timer.C:
		p.kill()
		return false
	}
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only when it has ended
	<-p.ended.Done()
}

// withoutConsul drops the variables that would change the agent: the test's environment may name another Consul.
func withoutConsul(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		if !strings.HasPrefix(variable, "CONSUL_") {
			kept = append(kept, variable)
		}
	}
	return kept
}
