package consul

import (
	"sync"
	"time"
)

// synced knows when this agent was last known to know what Consul knows. A
// blocking query that brings no news counts when it ends, so that the time is
// never more than about a minute ago while all is well.
type synced struct {
	mu     sync.Mutex
	last   time.Time
	behind bool // what was published could not be read
}

// read takes note that a key was read.
func (s *synced) read(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.behind {
		s.last = now
	}
}

// followed takes note of what came of reading what was published. Success
// alone says little: there may have been nothing to read.
func (s *synced) followed(now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind && err == nil {
		s.last = now
	}
	s.behind = err != nil
}

// LastSync is when this client last knew what Consul knows; zero before the
// first time.
func (c *Client) LastSync() time.Time {
	c.synced.mu.Lock()
	defer c.synced.mu.Unlock()
	return c.synced.last
}
