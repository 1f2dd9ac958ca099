package haproxy

import (
	"context"
	"strings"
	"time"
)

// talk is how many commands go over one connection: enough that connecting
// hardly counts, and few enough for HAProxy's time and for its answers.
const talk = 256

// timed is how many of them have one Timeout together: a HAProxy that is slow, and
// not dead, gets through a long conversation as it does through short ones.
const timed = 64

// askAll sends commands without payload to the worker and returns their answers
// in their order. name stands for all of them in errors.
//
// Many go over one connection in HAProxy's interactive mode, which ends each
// answer with a prompt (management guide, section 9.3). They are sent without
// waiting for the answers before, each on a line of its own: 3.2 prompts once a
// line. Where the answers can't be told apart, each command has a connection.
func (s *session) askAll(ctx context.Context, commands []string, name string) ([]string, error) {
	answers := make([]string, 0, len(commands))
	for len(answers) < len(commands) {
		rest := commands[len(answers):]
		some, err := s.converse(ctx, rest[:min(len(rest), talk)], name)
		if err != nil {
			return nil, err
		}
		answers = append(answers, some...)
	}
	return answers, nil
}

// converse returns the answers to the first of commands, at least one.
func (s *session) converse(ctx context.Context, commands []string, name string) ([]string, error) {
	if len(commands) > 1 && !s.c.singly.Same(s.info) {
		for _, command := range commands {
			if err := s.c.sendable(command, name); err != nil {
				return nil, err
			}
		}
		separator := "\n" + s.prefix()
		answer, err := s.c.transact(ctx, s.c.patience(len(commands)), "prompt"+separator+strings.Join(commands, separator), name)
		if err != nil {
			return nil, err
		}
		if answers := s.prompted(answer); len(answers) > 0 && len(answers) <= len(commands) {
			return answers, nil
		}
		s.c.singly = s.info
	}
	answer, err := s.c.exchange(ctx, s.prefix()+commands[0], name)
	if err != nil {
		return nil, err
	}
	return []string{answer}, nil
}

// patience is how long the answers to so many commands may take.
func (c *Client) patience(commands int) time.Duration {
	return c.config.Timeout * time.Duration((commands+timed-1)/timed)
}

// prompted takes the whole answers out of a conversation; what follows the last
// prompt was cut off.
func (s *session) prompted(answer string) []string {
	prompt, first := "\n> ", "\n> " // which answers "prompt"
	if s.info.Master {
		prompt, first = "\nmaster> ", "master> "
	}
	rest, ok := strings.CutPrefix(answer, first)
	if !ok {
		return nil
	}
	parts := strings.Split(rest, prompt)
	return parts[:len(parts)-1]
}
