package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"
)

// The states of a service's check, as Consul names them.
const (
	Passing  = api.HealthPassing
	Warning  = api.HealthWarning
	Critical = api.HealthCritical
)

const (
	// serviceTTL is after what time without a word from the agent Consul calls
	// its service critical.
	serviceTTL = 30 * time.Second
	// serviceEvery is how often the check is updated: one update may fail.
	serviceEvery = serviceTTL / 3
	// serviceSpacing is the least time between two updates.
	serviceSpacing = time.Second
	// maxOutput bounds the text of a check: Consul keeps 4 KiB by default.
	maxOutput = 2 << 10
)

// Service is what an agent has registered with its Consul agent, and how it is.
type Service struct {
	Name string
	Tags []string
	// Version is the program's, as meta for templates.
	Version string
	// Status is Passing, Warning or Critical; Output says why.
	Status, Output string
}

// Serve keeps a service with this id registered with the local Consul agent,
// with a TTL check, as current says, which is asked every ten seconds, and soon
// after wake; nil is none. When ctx ends the service is deregistered, and Serve returns nil.
//
// What a Consul agent has lost is registered again; what an agent that was
// killed leaves behind becomes critical 30 s later. Failures are tried again.
func (c *Client) Serve(ctx context.Context, id string, current func() *Service, wake <-chan struct{}) error {
	s := &serving{c: c, id: id}
	complaint := c.complaint("registering the service")
	tick := time.NewTicker(min(serviceEvery, c.config.Wait)) // impatience with queries counts here too
	defer tick.Stop()
	for ctx.Err() == nil {
		err := s.step(ctx, current())
		switch {
		case ctx.Err() != nil:
		case err == nil:
			complaint.worked()
		case status(err) != 0 || errors.As(err, new(*PermissionError)):
			complaint.failed(err)
		default:
			// Whoever follows says that Consul does not answer.
			c.logger.Debug("the service's check is not updated", "error", err)
		}
		sleep(ctx, serviceSpacing)
		select {
		case <-tick.C:
		case <-wake:
		case <-ctx.Done():
		}
	}
	if err := s.deregister(context.WithoutCancel(ctx)); err != nil {
		c.logger.Warn("the service stays registered, and becomes critical", "id", id, "error", err)
	}
	return nil
}

// serving is one Serve. It belongs to one goroutine.
type serving struct {
	c  *Client
	id string
	// registered is what Consul's agent knows, nil for nothing; token is with
	// which it was registered, since Consul's agent goes on using that.
	registered *Service
	token      string
}

// step makes Consul's agent know what is current.
func (s *serving) step(ctx context.Context, now *Service) error {
	if now == nil {
		return s.deregister(ctx)
	}
	now.Output = clip(now.Output)
	if s.registered == nil || !now.sameAs(s.registered) || s.token != s.c.token.get() {
		return s.register(ctx, now)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, grace, errTimeout)
	defer cancel()
	err := s.c.api.Agent().UpdateTTLOpts(s.check(), now.Output, now.Status, (&api.QueryOptions{}).WithContext(ctx))
	if status(err) == http.StatusNotFound {
		s.c.logger.Info("consul's agent has lost the service, it is registered again", "id", s.id)
		return s.register(ctx, now)
	}
	return s.denied("update the check of", now, err)
}

func (s *serving) register(ctx context.Context, now *Service) error {
	ctx, cancel := context.WithTimeoutCause(ctx, grace, errTimeout)
	defer cancel()
	registration := &api.AgentServiceRegistration{
		ID: s.id, Name: now.Name, Tags: now.Tags, Meta: map[string]string{"version": now.Version},
		Check: &api.AgentServiceCheck{
			CheckID: s.check(), Name: "staples of this node", TTL: serviceTTL.String(), Status: before(now.Status),
		},
	}
	opts := api.ServiceRegisterOpts{ReplaceExistingChecks: true}.WithContext(ctx)
	if err := s.c.api.Agent().ServiceRegisterOpts(registration, opts); err != nil {
		return s.denied("register", now, err)
	}
	// Read after the registration: a token that was refused is another by now.
	s.registered, s.token = now, s.c.token.get()
	err := s.c.api.Agent().UpdateTTLOpts(s.check(), now.Output, now.Status, (&api.QueryOptions{}).WithContext(ctx))
	return s.denied("update the check of", now, err)
}

// before is a state other than the one that follows at once, and not a better
// one than need be. Consul's agent tells its servers of a check's text together
// with a change of state; the text alone would wait for five minutes.
func before(status string) string {
	if status == Critical {
		return Warning
	}
	return Critical
}

// deregister takes the service away, if it is there.
func (s *serving) deregister(ctx context.Context) error {
	if s.registered == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, farewell, errTimeout)
	defer cancel()
	err := s.c.api.Agent().ServiceDeregisterOpts(s.id, (&api.QueryOptions{}).WithContext(ctx))
	if status(err) == http.StatusNotFound {
		err = nil
	}
	if err == nil {
		s.registered = nil
		return nil
	}
	return s.denied("deregister", s.registered, err)
}

func (s *serving) check() string { return "service:" + s.id }

// denied is nil for nil.
func (s *serving) denied(what string, of *Service, err error) error {
	if err == nil {
		return nil
	}
	return s.c.denied(what, fmt.Sprintf("service %q", of.Name), fmt.Sprintf(`service %q { policy = "write" }`, of.Name), err)
}

func (s *Service) sameAs(b *Service) bool {
	return s.Name == b.Name && s.Version == b.Version && slices.Equal(s.Tags, b.Tags)
}

// clip bounds a text without cutting a letter.
func clip(text string) string {
	if len(text) <= maxOutput {
		return text
	}
	cut := maxOutput
	for cut > 0 && text[cut]&0xc0 == 0x80 {
		cut--
	}
	return text[:cut]
}
