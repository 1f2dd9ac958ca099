package writer

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func shell(script string, args ...string) []string {
	return append([]string{"sh", "-c", script, "sh"}, args...)
}

func TestExecGetsEnvironmentAndDER(t *testing.T) {
	t.Setenv("CONSUL_HTTP_TOKEN", "secret")
	t.Setenv("CONSUL_OCSP_CONFIG", "/somewhere")
	b := newBench(t)
	out := t.TempDir()
	c := b.issue("www.example.com")
	c.Targets = []Target{NewExec("", shell(`cat > "$1/der"; env > "$1/env"`, out), 0, hclog.NewNullLogger())}
	b.writer.Set([]Certificate{c})
	der := b.answer(c, time.Minute)
	r := b.writer.Pass(context.Background(), []record.Staple{from(c, der)})
	if r[0].Outcome != Applied || r[0].State.Targets[0].How != "run" {
		t.Fatalf("%+v", r[0])
	}
	b.holds(filepath.Join(out, "der"), der)
	env, err := os.ReadFile(filepath.Join(out, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ID=" + c.ID, "JOB=edge", "NAME=www.example.com", "CERT=" + c.Path, "FILE=" + c.Path + ".ocsp", "STATUS=good",
		"THIS_UPDATE=" + b.clock.Now().Add(-time.Minute).UTC().Format(time.RFC3339),
		"NEXT_UPDATE=" + b.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	} {
		if !strings.Contains("\n"+string(env), "\nCONSUL_OCSP_"+want+"\n") {
			t.Errorf("no CONSUL_OCSP_%s in\n%s", want, env)
		}
	}
	if strings.Contains(string(env), "secret") || strings.Contains(string(env), "/somewhere") {
		t.Error("the agent's own variables were handed on")
	}
}

func TestExecFailures(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	facts, err := c.verify(b.answer(c, time.Minute), b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := Staple{Certificate: c, Facts: facts}
	for name, want := range map[string]struct {
		args         []string
		reason, text string
	}{
		"status":     {shell("echo out; echo err >&2; exit 3"), "exec", "exit status 3: out err"},
		"much":       {shell("while echo 0123456789; do :; done | head -c 100000; exit 1"), "exec", "…"},
		"no program": {[]string{"/nowhere/program"}, "exec", "no such file"},
		"no command": {nil, "exec", "no command"},
	} {
		_, err := NewExec("", want.args, time.Minute, hclog.NewNullLogger()).Install(context.Background(), s)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantReason(t, err, want.reason, want.text)
		if len(err.Error()) > 4<<10+200 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	// Not reading the DER is no failure, and neither is leaving a daemon.
	for _, script := range []string{"exit 0", "exec <&-; sleep 3 & exit 0"} {
		if _, err := NewExec("", shell(script), time.Minute, hclog.NewNullLogger()).Install(context.Background(), s); err != nil {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestExecTimeoutKillsTheGroup(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	facts, err := c.verify(b.answer(c, time.Minute), b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	held := make(chan string, 1)
	// Ends when the last process that holds the pipe has ended.
	go func() {
		text, _ := os.ReadFile(pipe)
		held <- string(text)
	}()
	target := NewExec("", shell(`exec 9>"$1"; echo started >&9; sleep 300 & wait`, pipe), time.Second, hclog.NewNullLogger())
	_, err = target.Install(context.Background(), Staple{Certificate: c, Facts: facts})
	wantReason(t, err, "timeout", "killed after 1s")
	select {
	case text := <-held:
		if text != "started\n" {
			t.Errorf("the program wrote %q", text)
		}
	case <-time.After(20 * time.Second):
		t.Error("a process of the group still runs")
	}
}

func TestExecIsRetriedAndItsOutputIsLogged(t *testing.T) {
	b := newBench(t)
	c := b.issue("www.example.com")
	flag := filepath.Join(t.TempDir(), "flag")
	var log bytes.Buffer // read after the Writer has stopped
	logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})
	b.writer.log = logger
	c.Targets = []Target{NewExec("exec one", shell(`echo loaded; echo twice >&2; test -e "$1"`, flag), time.Minute, logger)}
	b.writer.Set([]Certificate{c})
	src := newFeed()
	stop := b.run(src)
	src.list <- []record.Staple{from(c, b.answer(c, time.Minute))}
	clocktest.Eventually(t, "a failure", func() bool { return b.state(c).Targets[0].Reason == ReasonExec })
	makeFile(t, flag, "")
	clocktest.Eventually(t, "success", func() bool { return b.state(c).Targets[0].How == "run" })
	stop()
	for _, want := range []string{
		`not installed: target="exec one" job=edge name=www.example.com reason=exec error="sh: exit status 1: loaded twice"`,
		`command says: target="exec one" job=edge name=www.example.com output="loaded twice"`,
		`target works again: job=edge name=www.example.com id=` + c.ID + ` was=exec`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, &log)
		}
	}
}

func TestExecIsCalledAsItsLabelOrProgram(t *testing.T) {
	for _, want := range []struct {
		label string
		args  []string
		name  string
	}{{"exec two", shell(""), "exec two"}, {"", shell(""), "exec sh"}, {"", nil, "exec"}} {
		if got := NewExec(want.label, want.args, 0, hclog.NewNullLogger()).Name(); got != want.name {
			t.Errorf("it is called %q, want %q", got, want.name)
		}
	}
}
