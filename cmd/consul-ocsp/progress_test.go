package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"

	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// console is a program on a pseudo terminal of its own; what it draws is in its
// log.
type console struct {
	*running
	terminal *os.File
	read     chan struct{}
}

// onTerminal starts the program with stdout and stderr on a terminal of this width.
func onTerminal(t *testing.T, width uint16, environment []string, args ...string) *console {
	t.Helper()
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close() // the program has it
	t.Cleanup(func() { ours.Close() })
	resize(t, ours, width)
	p := &running{cmd: exec.Command("consul-ocsp", args...), log: &logged{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = theirs, theirs
	p.cmd.Env = append(append(cleanEnvironment(), "TERM=xterm"), environment...)
	c := &console{running: p, terminal: ours, read: make(chan struct{})}
	p.begin(t)
	go func() { // ends with an error, when nobody has the terminal any more
		defer close(c.read)
		_, _ = io.Copy(p.log, ours)
	}()
	return c
}

// ends waits for the program's end, and is its exit code and what it drew.
func (c *console) ends(t *testing.T) (code int, drawn string) {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	<-c.read
	return c.cmd.ProcessState.ExitCode(), c.log.String()
}

func resize(t *testing.T, f *os.File, width uint16) {
	t.Helper()
	if err := pty.Setsize(f, &pty.Winsize{Rows: 24, Cols: width}); err != nil {
		t.Fatal(err)
	}
}

// screenOf is what a terminal shows in the end of what was written to it.
func screenOf(written string) string {
	var lines []string
	line, column := []rune{}, 0
	for _, part := range regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]|(?s:.)`).FindAllString(written, -1) {
		switch {
		case part == "\n":
			lines, line, column = append(lines, string(line)), nil, 0
		case part == "\r":
			column = 0
		case part == "\x1b[K":
			line = line[:min(column, len(line))]
		case strings.HasPrefix(part, "\x1b"): // a colour
		default:
			line = append(line[:min(column, len(line))], []rune(part)...)
			column++
		}
	}
	return strings.Join(append(lines, string(line)), "\n")
}

// halting is a responder that answers some, and has the others wait until it is
// told to go on.
type halting struct {
	*authority
	goOn chan struct{}
}

func newHalting(t *testing.T, answers int64) *halting {
	t.Helper()
	h := &halting{authority: &authority{CA: initCA(t), settle: func() {}}, goOn: make(chan struct{})}
	var asked atomic.Int64
	responder := h.Responder(testca.ResponderOptions{})
	h.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > answers {
			select {
			case <-h.goOn:
			case <-r.Context().Done():
			}
		}
		responder.ServeHTTP(w, r)
	}))
	return h
}

// job issues n certificates, and two that nobody answers for, and writes a job
// file for them.
func (h *halting) job(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	certs := filepath.Join(dir, "certs")
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("host%02d.example.test", i)
	}
	h.issue(t, certs, testca.IssueOptions{}, names...)
	h.issue(t, certs, testca.IssueOptions{Responders: []string{"http://127.0.0.1:1"}}, "silent0.example.test", "silent1.example.test")
	return writeJob(t, filepath.Join(dir, "job.hcl"), fmt.Sprintf(`
data_dir = %q
fetch {
  allow_private_addresses = true
}
job "edge" {
  certificates {
    paths = [%q]
  }
}
`, filepath.Join(dir, "data"), certs))
}

// On a terminal one line is drawn again and again, below the log, as wide as the
// terminal at most, and is gone at the end.
func TestProgressOnTerminal(t *testing.T) {
	t.Parallel()
	h := newHalting(t, 12)
	p := onTerminal(t, 100, nil, "fetch", "-config-file="+h.job(t, 30))
	p.says(t, "fetching: 14 of 32 (43%), 2 failed")
	resize(t, p.terminal, 30)
	eventually(t, "a line for a narrow terminal", func() error {
		drawn := strings.Split(p.log.String(), clearLine)
		if last := drawn[len(drawn)-1]; len(last) != 29 {
			return fmt.Errorf("drawn: %q", last)
		}
		return nil
	})
	resize(t, p.terminal, 100)
	close(h.goOn)
	code, drawn := p.ends(t)
	if code != exitSome {
		t.Errorf("it ends with %d", code)
	}
	screen := screenOf(drawn)
	if strings.Contains(screen, "fetching:") || !strings.HasSuffix(screen, "\n") {
		t.Errorf("the line of progress stays:\n%s", screen)
	}
	stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT[^ ]+ \[[A-Z]+\] +consul-ocsp|^edge/(host\d|silent)\d.example.test `)
	for line := range strings.Lines(strings.ReplaceAll(screen, "\r", "")) {
		if !stamp.MatchString(line) {
			t.Errorf("neither of the log nor a result: %q", line)
		}
	}
	if n := strings.Count(screen, "edge/host"); n < 30 {
		t.Errorf("%d results:\n%s", n, screen)
	}
}

// A terminal that can't move its cursor, and what is no terminal, is sent no
// escape sequence.
func TestProgressElsewhere(t *testing.T) {
	t.Parallel()
	t.Run("dumb", func(t *testing.T) {
		t.Parallel()
		h := newHalting(t, 30)
		_, out := onTerminal(t, 80, []string{"TERM=dumb"}, "fetch", "-config-file="+h.job(t, 3)).ends(t)
		if strings.Contains(out, "\x1b") || !strings.Contains(out, "edge/host00") {
			t.Errorf("%q", out)
		}
	})
	t.Run("pipe", func(t *testing.T) {
		t.Parallel()
		h := newHalting(t, 30)
		out, _ := consulOCSP(t, "fetch", "-config-file="+h.job(t, 3))
		if strings.ContainsAny(out, "\x1b\r") || strings.Contains(out, "fetching") {
			t.Errorf("%q", out)
		}
	})
	t.Run("no colour", func(t *testing.T) {
		t.Parallel()
		h := newHalting(t, 30)
		job := h.job(t, 1)
		for _, c := range []struct {
			set    []string
			colour bool
		}{{nil, true}, {[]string{"NO_COLOR=1"}, false}, {[]string{"TERM=dumb"}, false}} {
			_, out := onTerminal(t, 80, c.set, "status", "-config-file="+job).ends(t)
			if strings.Contains(out, "\x1b[3") != c.colour || !strings.Contains(out, "missing") {
				t.Errorf("%v: %q", c.set, out)
			}
		}
	})
}

// Thousands of certificates are issued with their paths on standard output alone,
// whole lines each, and the progress on the terminal.
func TestProgressOfIssuing(t *testing.T) {
	t.Parallel()
	ca := initCA(t)
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	resize(t, ours, 80)
	args := []string{"testca", "issue", ca.Dir()}
	const n = 1500
	for i := range n {
		args = append(args, fmt.Sprintf("h%d.example.test", i))
	}
	args = append(args, "not a name")
	cmd := exec.Command("consul-ocsp", args...)
	cmd.Env = append(cleanEnvironment(), "TERM=xterm")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	var drawn bytes.Buffer
	_, _ = io.Copy(&drawn, ours) // until nobody has the terminal's other end
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitSome {
		t.Errorf("%v\n%s", err, drawn.String())
	}
	if got := strings.Count(out.String(), ".pem\n"); got != n || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%d paths on standard output", got)
	}
	if !regexp.MustCompile(`issuing: [\d,]+ of 1,501 \(\d+%\)`).MatchString(drawn.String()) {
		t.Errorf("no progress: %q", drawn.String())
	}
	if got := screenOf(strings.ReplaceAll(drawn.String(), "\r\n", "\n")); strings.Contains(got, "issuing:") || strings.Count(got, "\n") != 1 {
		t.Errorf("what stays: %q", got)
	}
}

// In a log a pass of an hour is some tens of lines, a short one none.
func TestProgressInLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		takes time.Duration // all of it
		least int
		most  int
	}{
		{"short", 9 * time.Second, 0, 0},
		{"minutes", 5 * time.Minute, 9, 10},
		{"an hour", time.Hour, 100, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lines int
				command := &command{environment: environment{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, lookup: os.LookupEnv}}
				p := command.showProgress(func(plugin.Progress) { lines++ })
				const total = 10000
				for done := range total {
					clocktest.Take(t.Context(), c.takes/total)
					p.tell(plugin.Progress{Doing: "fetching", Done: done + 1, Total: total})
				}
				p.end()
				if lines < c.least || lines > c.most {
					t.Errorf("%d lines", lines)
				}
			})
		})
	}
}

// The line says what is done, how much of it, what failed, and how long it takes.
func TestProgressLine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		now  plugin.Progress
		took time.Duration
		want string
	}{
		{plugin.Progress{Doing: "reading certificates"}, 3 * time.Second, "reading certificates: 3s"},
		{plugin.Progress{Doing: "fetching", Done: 1234, Total: 10000, Failed: 3}, 10 * time.Second,
			"fetching: 1,234 of 10,000 (12%), 3 failed, 123/s, 1m11s left"},
		{plugin.Progress{Doing: "fetching", Done: 5, Total: 10}, 10 * time.Second, "fetching: 5 of 10 (50%), 0.5/s, 10s left"},
		{plugin.Progress{Doing: "issuing", Done: 1000, Total: 3000}, 700 * time.Millisecond, "issuing: 1,000 of 3,000 (33%)"},
		{plugin.Progress{Doing: "publishing", Done: 10, Total: 10}, 2 * time.Second, "publishing: 10 of 10 (100%), 2s"},
		{plugin.Progress{Doing: "waiting for staples", Done: 9, Total: 10, Until: at.Add(30 * time.Second)}, 5 * time.Second,
			"waiting for staples: 9 of 10 (90%), for 25s at most"},
	} {
		p := &progress{now: c.now, since: at}
		if got := p.line(at.Add(c.took)); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

// A watched status of many certificates has the worst of each part on the screen.
func TestWatchedStatusFitsTheScreen(t *testing.T) {
	t.Parallel()
	h := newHalting(t, 100)
	p := onTerminal(t, 80, nil, "status", "-watch", "-config-file="+h.job(t, 60))
	p.says(t, "62 staples")
	eventually(t, "the second screen", func() error {
		if strings.Count(p.log.String(), repaint) < 2 {
			return fmt.Errorf("%q", p.log.String())
		}
		return nil
	})
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code, drawn := p.ends(t)
	screens := strings.Split(drawn, repaint)
	if lines := strings.Count(screens[1], "\n"); code != exitOK || lines > 23 || !strings.Contains(screens[1], "more lines") {
		t.Errorf("it ends with %d, %d lines:\n%s", code, lines, screens[1])
	}
}
