package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
)

const (
	// progressAfter is how long a pass takes before a terminal shows how far it
	// is: what is done at once needs no word.
	progressAfter = 500 * time.Millisecond
	// progressEvery is how often the terminal's line is drawn at most.
	progressEvery = 100 * time.Millisecond
	// A log has a line each tenth of the work, but none sooner than logAfter the
	// one before, and one after logEvery even if less was done.
	logAfter = 10 * time.Second
	logEvery = 30 * time.Second
)

// progress shows how far a long pass is: on a terminal in one line that is gone
// at the end, elsewhere in a line now and then.
type progress struct {
	screen *screen // nil: no terminal
	log    func(plugin.Progress)
	done   chan struct{}
	ended  sync.WaitGroup

	mu          sync.Mutex
	now         plugin.Progress
	begun       time.Time // of the pass
	since       time.Time // of what is done now
	first       int       // what of it was done when it began
	drawn       time.Time
	logged      time.Time
	loggedShare float64
}

// showProgress shows what tell is told until end, and whatever c writes meanwhile
// goes around it. Where there is no terminal, log writes a line.
func (c *command) showProgress(log func(plugin.Progress)) *progress {
	p := &progress{done: make(chan struct{})}
	if file := c.terminalOf(c.stderr); file != nil {
		p.screen = &screen{file: file}
		c.stderr = &above{p.screen, c.stderr}
		if c.terminalOf(c.stdout) != nil {
			c.stdout = &above{p.screen, c.stdout}
		}
	} else {
		p.log = log
	}
	p.rest()
	p.ended.Go(p.run) // until end
	return p
}

// newProgressLogger is the log of a command that takes long and shows its progress: there
// it stands, too, where it goes to a file or nobody looks.
func (c *command) newProgressLogger(cfg *hclconfig.Config) (*journal, *progress, error) {
	p := c.showProgress(nil)
	logger, err := newLogger(c.environment, cfg)
	if err != nil {
		p.end()
		return nil, nil, err
	}
	if p.screen == nil || logger.file != nil || logger.syslog != nil {
		p.mu.Lock()
		p.log = func(now plugin.Progress) {
			logger.Info(now.Doing, "done", now.Done, "of", now.Total, "failed", now.Failed)
		}
		p.mu.Unlock()
	}
	return logger, p, nil
}

// rest takes the line away until more is told: what is printed now is a result.
func (p *progress) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.now, p.begun, p.since, p.logged, p.loggedShare = plugin.Progress{}, now, now, now, 0
	if p.screen != nil {
		p.screen.draw("")
	}
}

// run has what is shown change also while nothing is heard.
func (p *progress) run() {
	tick := time.NewTicker(progressAfter)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.mu.Lock()
			p.show()
			p.mu.Unlock()
		case <-p.done:
			return
		}
	}
}

// tell takes what is known now.
func (p *progress) tell(now plugin.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Doing != p.now.Doing {
		p.since, p.first, p.loggedShare = time.Now(), now.Done, 0
	}
	p.now = now
	p.show()
}

// end takes the line away.
func (p *progress) end() {
	close(p.done)
	p.ended.Wait()
	p.rest()
}

func (p *progress) show() {
	now := time.Now()
	if p.now.Doing == "" {
		return
	}
	if p.screen != nil && now.Sub(p.begun) >= progressAfter && now.Sub(p.drawn) >= progressEvery {
		p.drawn = now
		p.screen.draw(p.line(now))
	}
	if p.log == nil || now.Sub(p.logged) < logAfter {
		return
	}
	if share := p.share(); now.Sub(p.logged) >= logEvery || share-p.loggedShare >= 0.1 {
		p.logged, p.loggedShare = now, share
		p.log(p.now)
	}
}

// share is the part that is done, 0 where nobody knows.
func (p *progress) share() float64 {
	if p.now.Total == 0 {
		return 0
	}
	return float64(p.now.Done) / float64(p.now.Total)
}

// line is such as "fetching: 1,234 of 10,000 (12%), 3 failed, 210/s, 42s left".
// It is plain ASCII: a byte is a column.
func (p *progress) line(now time.Time) string {
	var parts []string
	if p.now.Total > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s (%d%%)", grouped(p.now.Done), grouped(p.now.Total), int(100*p.share())))
	}
	if p.now.Failed > 0 {
		parts = append(parts, grouped(p.now.Failed)+" failed")
	}
	took := now.Sub(p.since)
	done := float64(p.now.Done - p.first)
	switch left := p.now.Total - p.now.Done; {
	case !p.now.Until.IsZero():
		parts = append(parts, "for "+span(max(0, p.now.Until.Sub(now)))+" at most")
	case done > 0 && left > 0 && took > time.Second:
		rate := done / took.Seconds()
		parts = append(parts, rateText(rate), span(time.Duration(float64(left)/rate*float64(time.Second)))+" left")
	case took >= time.Second || len(parts) == 0:
		parts = append(parts, span(took)) // in its first second "0s" would say nothing
	}
	return p.now.Doing + ": " + strings.Join(parts, ", ")
}

func rateText(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.1f/s", perSecond)
	}
	return grouped(int(perSecond)) + "/s"
}

// grouped is a number as people read it: 12,345.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
