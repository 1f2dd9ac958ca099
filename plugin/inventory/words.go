package inventory

import (
	"errors"
	"fmt"
	"strings"
)

// words splits one line of HAProxy's configuration as HAProxy does: at spaces,
// with quotes, backslashes, comments, and variables within double quotes
// (configuration manual, sections 2.2 "Quoting and escaping" and 2.3
// "Environment variables"). lookup gives a variable's value.
func words(line string, lookup func(string) (string, bool)) ([]string, error) {
	s := splitter{rest: line, lookup: lookup}
	for s.rest != "" {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	if s.single || s.double {
		return nil, errors.New("a quote is not closed")
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	rest           string
	lookup         func(string) (string, bool)
	words          []string
	word           strings.Builder
	inWord         bool // also for an empty one in quotes
	single, double bool // within such quotes
}

// next takes one character, or one escape or variable.
func (s *splitter) next() error {
	c := s.rest[0]
	s.rest = s.rest[1:]
	switch {
	case s.single:
		if s.single = c != '\''; s.single {
			s.put(string(c))
		}
	case c == '\\':
		return s.escape()
	case c == '"':
		s.double, s.inWord = !s.double, true
	case s.double && c == '$':
		return s.variable()
	case s.double:
		s.put(string(c))
	case c == '\'':
		s.single, s.inWord = true, true
	case c == '#':
		s.rest = ""
	case c == ' ' || c == '\t' || c == '\r':
		s.end()
	default:
		s.put(string(c))
	}
	return nil
}

func (s *splitter) put(text string) {
	s.word.WriteString(text)
	s.inWord = true
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

// escape takes what follows a backslash. In double quotes it is special before
// a quote, a backslash and a dollar only.
func (s *splitter) escape() error {
	if s.rest == "" {
		return errors.New("a backslash ends the line")
	}
	c := s.rest[0]
	switch {
	case s.double && !strings.ContainsRune(`"\$`, rune(c)):
		s.put(`\`)
		return nil
	case c == 'n', c == 'r', c == 't', c == 'x':
		if !s.double {
			return fmt.Errorf(`\%c: no path that can be read here`, c)
		}
	}
	s.put(string(c))
	s.rest = s.rest[1:]
	return nil
}

// variable takes $NAME, ${NAME} or ${NAME-what else}.
func (s *splitter) variable() error {
	braces := strings.HasPrefix(s.rest, "{")
	rest := strings.TrimPrefix(s.rest, "{")
	n := 0
	for n < len(rest) && nameByte(rest[n], n == 0) {
		n++
	}
	name, rest := rest[:n], rest[n:]
	if name == "" {
		return errors.New("a $ without the name of a variable")
	}
	value, ok := s.lookup(name)
	if braces {
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return fmt.Errorf("${%s is not closed", name)
		}
		otherwise, hasOther := strings.CutPrefix(inner, "-")
		switch {
		case inner != "" && !hasOther:
			return fmt.Errorf("${%s%s}: only ${NAME} and ${NAME-default} can be read here", name, inner)
		case hasOther && !ok:
			value, ok = otherwise, true
		}
		rest = after
	}
	if !ok {
		return fmt.Errorf("the variable %s is not set for this agent: set it to what HAProxy has", name)
	}
	s.put(value)
	s.rest = rest
	return nil
}

func nameByte(c byte, first bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && c >= '0' && c <= '9'
}
