package writer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
)

// command is a Target that runs a program.
type command struct {
	name    string
	args    []string
	timeout time.Duration
	log     hclog.Logger
}

// NewExec makes a target that runs args for each new staple: the DER on its
// standard input, the rest of what it may need in its environment:
//
//	CONSUL_OCSP_ID           id of the certificate
//	CONSUL_OCSP_JOB, _NAME   where it is configured
//	CONSUL_OCSP_CERT, _FILE  paths; _FILE is empty where no file holds the staple
//	CONSUL_OCSP_STATUS       "good" or "revoked"
//	CONSUL_OCSP_THIS_UPDATE, _NEXT_UPDATE  RFC 3339, UTC; _NEXT_UPDATE is empty where the response has none
//
// Exit status 0 is success, everything else is tried again. After timeout (0:
// 30 s) the program is killed with its whole process group. args is not read by
// a shell. A staple may be handed over more than once: after a restart of this
// process, after a changed configuration, and when a failed file was written
// later. What it prints is logged (the first program.MaxOutput bytes), of a
// failure as part of the error.
//
// name is for logs and status, where several commands are told apart; empty:
// "exec" and the program.
func NewExec(name string, args []string, timeout time.Duration, log hclog.Logger) Target {
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	if name == "" {
		name = strings.Join(append([]string{"exec"}, args[:min(1, len(args))]...), " ")
	}
	return &command{name: name, args: args, timeout: timeout, log: log}
}

func (c *command) Name() string { return c.name }

// Epoch is empty: a program that ended can't forget.
func (c *command) Epoch(context.Context) (string, error) { return "", nil }

func (c *command) Install(ctx context.Context, s Staple) (Outcome, error) {
	if len(c.args) == 0 {
		return Outcome{}, refuse(ReasonExec, "no command")
	}
	output, err := program.Run(ctx, c.args, environment(s), bytes.NewReader(s.Facts.DER), c.timeout)
	switch {
	case err == nil:
		if output != "" {
			c.log.Info("command says", "target", c.name, "job", s.Certificate.Job, "name", s.Certificate.Name, "output", output)
		}
		return Outcome{How: "run"}, nil
	case errors.Is(err, program.ErrTimeout):
		return Outcome{}, refuse(ReasonTimeout, "%s: killed after %s: %s", c.args[0], c.timeout, output)
	default:
		return Outcome{}, &Error{Reason: ReasonExec, Err: fmt.Errorf("%w: %s", err, output)}
	}
}

func environment(s Staple) []string {
	c := &s.Certificate
	next := ""
	if !s.Facts.NextUpdate.IsZero() {
		next = s.Facts.NextUpdate.UTC().Format(time.RFC3339)
	}
	return []string{
		"CONSUL_OCSP_ID=" + c.ID,
		"CONSUL_OCSP_JOB=" + c.Job,
		"CONSUL_OCSP_NAME=" + c.Name,
		"CONSUL_OCSP_CERT=" + c.Path,
		"CONSUL_OCSP_FILE=" + s.File,
		"CONSUL_OCSP_STATUS=" + string(s.Facts.Status),
		"CONSUL_OCSP_THIS_UPDATE=" + s.Facts.ThisUpdate.UTC().Format(time.RFC3339),
		"CONSUL_OCSP_NEXT_UPDATE=" + next,
	}
}
