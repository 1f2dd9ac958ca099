package consul

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// connection knows whether Consul answers, so that an outage is said once when
// it begins and once when it ends, however many loops notice it.
type connection struct {
	logger hclog.Logger
	notify func(up bool, err error) // may be nil
	now    func() time.Time

	mu       sync.Mutex
	down     bool
	since    time.Time
	answered time.Time // when Consul last answered
}

// observe takes note of the outcome of a request that was sent at began. Only
// requests that need a cluster with a leader count: others are answered
// without one.
func (c *connection) observe(began time.Time, req *http.Request, resp *http.Response, err error) {
	path := req.URL.Path
	if !strings.Contains(path, "/v1/kv/") && !strings.HasSuffix(path, "/v1/txn") && !strings.Contains(path, "/v1/session/") {
		return
	}
	switch {
	case err != nil:
		if cause := context.Cause(req.Context()); cause != nil && cause != errTimeout {
			return // the caller ended it
		}
		c.fails(began, err)
	case strings.HasSuffix(path, "/v1/session/create"):
		// 500 there is mostly about the agent's own registration.
	case resp.StatusCode >= http.StatusInternalServerError:
		c.fails(began, fmt.Errorf("it answers %s", resp.Status))
	default:
		c.answers()
	}
}

// fails takes note of a failure. That of a request from before Consul last
// answered is old news: the outage that swallowed it is over.
func (c *connection) fails(began time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !began.Before(c.answered) {
		c.set(true, err)
	}
}

func (c *connection) answers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = c.now()
	c.set(false, nil)
}

// set is called with the lock held.
func (c *connection) set(down bool, err error) {
	if c.down == down {
		return
	}
	c.down = down
	if down {
		c.since = c.now()
		c.logger.Warn("consul does not answer; what is delivered stays", "error", err)
	} else {
		c.logger.Info("consul answers again", "after", c.now().Sub(c.since).Round(time.Second))
	}
	if c.notify != nil {
		c.notify(!down, err)
	}
}

// Silent reports whether Consul has not answered the last request that needs its
// servers.
func (c *Client) Silent() bool { return c.state.isDown() }

func (c *connection) isDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

// complaint says what goes wrong in one loop: each error once, not at each
// attempt, and its end. An outage is connection's to say. It belongs to one
// goroutine.
type complaint struct {
	c    *Client
	what string
	last string
	// lines are the warnings since it worked: an error may read otherwise each
	// time, as with the port of a broken connection in it.
	lines int
}

// mostComplaints is how many different errors of one loop are warned of until it
// works again.
const mostComplaints = 3

func (c *Client) complaint(what string) *complaint { return &complaint{c: c, what: what} }

func (p *complaint) failed(err error) {
	text := err.Error()
	if p.c.state.isDown() || text == p.last || p.lines >= mostComplaints {
		p.c.logger.Debug(p.what+" fails", "error", err)
		return
	}
	p.last = text
	p.lines++
	p.c.logger.Warn(p.what+" fails", "error", err)
}

func (p *complaint) worked() {
	if p.last != "" {
		p.last, p.lines = "", 0
		p.c.logger.Info(p.what + " works again")
	}
}
