package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	// registration is how long an agent that has just started may take to
	// register its own node and health check, without which there is no
	// session.
	registration = 2 * time.Minute
	// farewell bounds what is said to Consul at the end of a term.
	farewell = 5 * time.Second
)

// session is a Consul session, renewed until it is closed.
type session struct {
	c  *Client
	id string
	// ctx ends with the session, or with the context it was made in; its cause
	// says why.
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when renewing has ended
}

// newSession creates a session and renews it.
func (c *Client) newSession(ctx context.Context, name string) (*session, error) {
	id, err := c.createSession(ctx, name)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, &shapeError{"consul gave a session without an id"}
	}
	s := &session{c: c, id: id, done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	go s.renew() // ends with s.ctx; close waits for it
	return s, nil
}

func (c *Client) createSession(ctx context.Context, name string) (string, error) {
	entry := &api.SessionEntry{
		Name: name, TTL: c.config.SessionTTL.String(), LockDelay: c.config.LockDelay,
		Behavior: api.SessionBehaviorRelease,
	}
	deadline := time.Now().Add(registration)
	for {
		id, err := c.createOnce(ctx, entry)
		if err == nil {
			return id, nil
		}
		if !unregistered(err) || time.Now().After(deadline) {
			return "", c.denied(CreateSession, "the lock", c.sessionRule(), err)
		}
		c.logger.Debug("the consul agent has not registered itself yet", "error", err)
		if !c.pause(ctx) {
			return "", ctx.Err()
		}
	}
}

// sessionRule is the ACL rule that lets a token have the lock's session.
func (c *Client) sessionRule() string {
	if c.config.Foreign {
		return `session_prefix "" { policy = "write" }`
	}
	return `session "<the consul agent's node>" { policy = "write" }`
}

// createOnce creates the session, in another datacenter for one of its servers:
// Consul knows the agent that is spoken to only where that is. Whether that
// server lives says nothing of this agent, so there the session has no check
// besides its time.
func (c *Client) createOnce(ctx context.Context, entry *api.SessionEntry) (string, error) {
	options, cancel := c.write(ctx)
	defer cancel()
	if !c.config.Foreign {
		id, _, err := c.api.Session().Create(entry, options)
		return id, err
	}
	servers, _, err := c.api.Catalog().Service("consul", "", (&api.QueryOptions{}).WithContext(options.Context()))
	if err != nil {
		return "", err
	}
	if len(servers) == 0 {
		return "", &PermissionError{
			What: "read", Object: "the servers of the datacenter",
			Rule: `service "consul" { policy = "read" } and node_prefix "" { policy = "read" }`,
		}
	}
	entry.Node = servers[int(c.config.Rand()*float64(len(servers)))].Node
	id, _, err := c.api.Session().CreateNoChecks(entry, options)
	return id, err
}

// unregistered reports whether a session was refused because the Consul agent
// has only just started.
func unregistered(err error) bool {
	return status(err) == http.StatusInternalServerError &&
		(strings.Contains(err.Error(), "Missing node registration") || strings.Contains(err.Error(), "serfHealth"))
}

// renew renews the session until it ends. It is given up when no renewal has
// succeeded for the session's whole time: Consul waits twice as long, so that
// no other agent can lead by then.
func (s *session) renew() {
	defer close(s.done)
	ttl := s.c.config.SessionTTL
	renewed, next := time.Now(), ttl/3
	for sleep(s.ctx, next) {
		asked := time.Now()
		entry, err := s.renewOnce(ttl / 3)
		switch {
		case err == nil && entry == nil:
			s.cancel(fmt.Errorf("%w: the session is gone", ErrNotLeader))
			return
		case err == nil:
			renewed, next = asked, ttl/3
		case time.Since(renewed) > ttl:
			s.cancel(fmt.Errorf("%w: the session could not be renewed for %s: %v", ErrNotLeader, ttl, err))
			return
		default:
			next = ttl / 20
		}
	}
}

func (s *session) renewOnce(limit time.Duration) (*api.SessionEntry, error) {
	ctx, cancel := context.WithTimeoutCause(s.ctx, limit, errTimeout)
	defer cancel()
	entry, _, err := s.c.api.Session().Renew(s.id, (&api.WriteOptions{}).WithContext(ctx))
	return entry, err
}

// close ends the session, also in Consul if that answers in time. It stays
// known as one of this agent's that is over.
func (s *session) close() {
	s.cancel(errors.New("the session was closed"))
	<-s.done
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(s.ctx), farewell, errTimeout)
	defer cancel()
	if _, err := s.c.api.Session().Destroy(s.id, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		s.c.logger.Debug("the session stays for now", "error", err)
	}
	s.c.over.Store(s.id, true)
}

// clear gives back a lock that has a session of this agent which is over: one
// that could not be ended in an outage, or that a restored snapshot brought
// back. Otherwise nobody would lead until Consul ends it, twice its time after
// its servers are back. It reports false for anybody else's.
func (c *Client) clear(ctx context.Context, lock *api.KVPair) (bool, error) {
	if _, own := c.over.Load(lock.Session); !own {
		return false, nil
	}
	options, cancel := c.write(ctx)
	defer cancel()
	if _, _, err := c.api.KV().Release(&api.KVPair{Key: lock.Key, Value: lock.Value, Session: lock.Session}, options); err != nil {
		return true, c.denied("write", lock.Key, c.keys.writeRule(lock.Key), err)
	}
	if _, err := c.api.Session().Destroy(lock.Session, options); err != nil {
		c.logger.Debug("a former session stays until its time is over", "error", err)
	}
	return true, nil
}
