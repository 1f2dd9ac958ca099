package consultest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"
)

// waitReady waits until a client can do everything, or the process has ended, or the time is over.
func (s *Server) waitReady(p *process, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(p.ended, timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		last := s.tryEverything(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if p.ended.Err() != nil {
				return fmt.Errorf("the server has ended: %w", last)
			}
			return fmt.Errorf("not ready after %v: %w", timeout, last)
		case <-tick.C:
		}
	}
}

// tryEverything needs a leader for the key, and a node with a passing serfHealth check for the session. A server that was
// restarted answers from its old state first: only the session says that the node is registered by now.
func (s *Server) tryEverything(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	write := (&api.WriteOptions{}).WithContext(ctx)
	if err := s.checkIsOurs(ctx); err != nil {
		return err
	}
	leader, err := s.client.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	if leader == "" {
		return errors.New("no leader yet")
	}
	session, _, err := s.client.Session().Create(&api.SessionEntry{Name: "ready"}, write)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if _, err := s.client.Session().Destroy(session, write); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	pair := &api.KVPair{Key: "consultest/ready"}
	if _, err := s.client.KV().Put(pair, write); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if _, err := s.client.KV().Delete(pair.Key, write); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	return nil
}

// checkIsOurs: where the port was taken by another server, that one answers.
func (s *Server) checkIsOurs(ctx context.Context) error {
	var self struct{ Config struct{ NodeName string } }
	_, err := s.client.Raw().Query("/v1/agent/self", &self, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	if self.Config.NodeName != s.node {
		return fmt.Errorf("server %q answers, not %q", self.Config.NodeName, s.node)
	}
	return nil
}
