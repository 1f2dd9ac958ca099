package haproxy

import (
	"context"
	"encoding/base64"
)

// PushMost is how many certificates PushAll is best called with: it keeps other
// processes from the socket for some tens of milliseconds then.
const PushMost = 256

// Pushed is what came of one certificate of PushAll.
type Pushed struct {
	Outcome Outcome
	Err     error // an *Error, or nil when HAProxy showed that it holds the response
}

// PushAll does for several certificates what Install does for one with
// MethodPush, and asks no less: what is held before and after, and whether the
// worker is still the same. Many together take a fraction of the time. What it
// returns is in the order of certs.
func (c *Client) PushAll(ctx context.Context, certs []Certificate) []Pushed {
	all := make([]Pushed, len(certs))
	var left []int
	for i, cert := range certs {
		if all[i].Err = c.fits(cert); all[i].Err == nil {
			left = append(left, i)
		}
	}
	var err error
	for try := 0; try < attempts && len(left) > 0 && err == nil; try++ {
		var same bool
		if same, err = c.pushAllOnce(ctx, certs, all, left); same {
			return all
		}
		if err == nil {
			c.config.Logger.Info("HAProxy's worker changed while responses were pushed, again", "socket", c.config.Socket, "certificates", len(left))
		}
	}
	for _, i := range left {
		if err == nil {
			all[i].Err = c.fail(KindRestarting, "", "the worker changed %d times while the response for %s was pushed; is HAProxy reloaded in a loop?", attempts, certs[i].Path)
		} else if all[i].Err == nil {
			all[i].Err = err
		}
		all[i].Outcome = Outcome{}
	}
	return all
}

func (c *Client) pushAllOnce(ctx context.Context, certs []Certificate, all []Pushed, left []int) (same bool, err error) {
	s, err := c.reopen(ctx)
	if err != nil {
		return false, err
	}
	defer s.close()
	before := s.info
	for _, i := range left {
		all[i] = Pushed{Outcome: Outcome{Pid: before.Pid, Version: before.Version}}
	}
	if err := s.installAll(ctx, certs, all, left); err != nil {
		c.last = Info{} // perhaps of a worker that is gone
		return false, err
	}
	if err := s.identify(ctx); err != nil {
		return false, err
	}
	return s.info.Same(before), nil
}

// installAll sets the responses that HAProxy takes as they are, all together,
// and goes the long way for each of the others.
func (s *session) installAll(ctx context.Context, certs []Certificate, all []Pushed, left []int) error {
	plain, others, err := s.sort(ctx, certs, all, left)
	if err != nil {
		return err
	}
	set, refused, err := s.setAll(ctx, certs, plain)
	if err != nil {
		return err
	}
	held, err := s.heldAll(ctx, certIDs(certs, set))
	if err != nil {
		return err
	}
	for k, i := range set {
		all[i].Outcome.How, all[i].Err = HowSet, held[k].err
		if all[i].Err == nil {
			all[i].Err = s.isHeld(held[k].Held, certs[i])
		}
	}
	for _, i := range append(others, refused...) {
		if all[i].Outcome.How, all[i].Err = s.install(ctx, certs[i]); all[i].Err != nil && ctx.Err() != nil {
			return all[i].Err
		}
	}
	return nil
}

// sort finds those that a plain set is for: registered, under one name at most,
// and neither held already nor outranked, which is noted in all. Of several
// responses of one CertID that is the first: whether another outranks it is
// only seen once it is held.
func (s *session) sort(ctx context.Context, certs []Certificate, all []Pushed, left []int) (plain, others []int, err error) {
	held, err := s.heldAll(ctx, certIDs(certs, left))
	if err != nil {
		return nil, nil, err
	}
	if err := s.refreshNames(ctx); err != nil && KindOf(err) != KindPermission {
		return nil, nil, err
	}
	seen := make(map[string]bool, len(left))
	for k, i := range left {
		h, cert := held[k].Held, certs[i]
		again := seen[string(cert.CertID)]
		seen[string(cert.CertID)] = true
		switch names := s.c.names.names[fingerprint(cert.FingerprintSHA1)]; {
		case again || held[k].err != nil || !h.Registered || len(names) > 1:
			others = append(others, i)
		case h.is(cert):
			all[i].Outcome.How = HowUnchanged
		case s.c.outranks(h, cert):
			all[i].Outcome.How = HowNewer
		default:
			plain = append(plain, i)
		}
	}
	return plain, others, nil
}

// setAll returns those for which HAProxy says that it took the response, and
// those for which it does not.
func (s *session) setAll(ctx context.Context, certs []Certificate, plain []int) (set, refused []int, err error) {
	var commands []string
	for _, i := range plain {
		command := setCommand + " " + base64.StdEncoding.EncodeToString(certs[i].OCSP)
		if s.c.sendable(s.prefix()+command, setCommand) != nil {
			refused = append(refused, i)
			continue
		}
		set, commands = append(set, i), append(commands, command)
	}
	if err := s.pace(ctx, len(commands)); err != nil {
		return nil, nil, err
	}
	answers, err := s.askAll(ctx, commands, setCommand)
	if err != nil {
		return nil, nil, err
	}
	taken := set[:0]
	for k, i := range set {
		if s.wasSet(answers[k]) == nil {
			taken = append(taken, i)
		} else {
			refused = append(refused, i)
		}
	}
	return taken, refused, nil
}

func certIDs(certs []Certificate, which []int) [][]byte {
	ids := make([][]byte, len(which))
	for k, i := range which {
		ids[k] = certs[i].CertID
	}
	return ids
}
