package writer

import (
	"fmt"
	"strings"
)

// scope is what a block of nginx's configuration says of certificates; blocks
// within it inherit what they don't say themselves.
type scope struct {
	name         string // "server", …
	certificates []string
	own          bool // certificates were set in this block
	file         string
	names        string
}

// sharedStaples finds, in what nginx -T prints, the files of ssl_stapling_file
// that stand for several certificates: nginx staples the one response with each
// of them, and the clients that get another certificate refuse it.
func sharedStaples(config string) map[string]error {
	shared := map[string]error{}
	stack := []scope{{}}
	s := nginxScanner{rest: config}
	var words []string
	for {
		word, kind := s.next()
		top := &stack[len(stack)-1]
		switch kind {
		case nginxEnd:
			return shared
		case nginxWord:
			words = append(words, word)
			continue
		case nginxOpen:
			inner := *top
			inner.own, inner.name = false, ""
			if len(words) > 0 {
				inner.name = words[0]
			}
			if len(stack) < maxNesting {
				stack = append(stack, inner)
			}
		case nginxSemicolon:
			top.directive(words)
		case nginxClose:
			top.judge(shared)
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		}
		words = nil
	}
}

const maxNesting = 64

func (b *scope) directive(words []string) {
	if len(words) < 2 {
		return
	}
	switch words[0] {
	case "ssl_certificate":
		if !b.own {
			b.certificates, b.own = nil, true
		}
		b.certificates = append(b.certificates[:len(b.certificates):len(b.certificates)], words[1])
	case "ssl_stapling_file":
		b.file = words[1]
	case "server_name":
		b.names = strings.Join(words[1:], " ")
	}
}

func (b *scope) judge(shared map[string]error) {
	if b.name == "server" && b.file != "" && len(b.certificates) > 1 {
		shared[b.file] = refuse(ReasonShared, "nginx staples %s with each of %s: server %s needs one certificate, or no ssl_stapling_file",
			b.file, strings.Join(b.certificates, " and "), fmt.Sprintf("%q", b.names))
	}
}

type nginxToken int

const (
	nginxEnd nginxToken = iota
	nginxWord
	nginxSemicolon
	nginxOpen
	nginxClose
)

// nginxScanner splits nginx's configuration into words
// (https://nginx.org/en/docs/beginners_guide.html#conf_structure).
type nginxScanner struct{ rest string }

func (s *nginxScanner) next() (string, nginxToken) {
	for {
		s.rest = strings.TrimLeft(s.rest, " \t\r\n")
		if s.rest == "" {
			return "", nginxEnd
		}
		if s.rest[0] != '#' {
			break
		}
		_, s.rest, _ = strings.Cut(s.rest, "\n")
	}
	c := s.rest[0]
	switch c {
	case ';', '{', '}':
		s.rest = s.rest[1:]
		return "", map[byte]nginxToken{';': nginxSemicolon, '{': nginxOpen, '}': nginxClose}[c]
	case '"', '\'':
		s.rest = s.rest[1:]
		return s.until(string(c), true), nginxWord
	}
	return s.until(" \t\r\n;{}", false), nginxWord
}

// until takes a word up to one of the ends. A quote that ends it is taken too;
// "${" begins a variable, whose braces are part of the word.
func (s *nginxScanner) until(ends string, quoted bool) string {
	var word strings.Builder
	i := 0
	for ; i < len(s.rest); i++ {
		c := s.rest[i]
		if c == '\\' && i+1 < len(s.rest) {
			i++
			word.WriteByte(s.rest[i])
			continue
		}
		if !quoted && c == '$' && strings.HasPrefix(s.rest[i+1:], "{") {
			if end := strings.IndexByte(s.rest[i:], '}'); end > 0 {
				word.WriteString(s.rest[i : i+end+1])
				i += end
				continue
			}
		}
		if strings.IndexByte(ends, c) >= 0 {
			break
		}
		word.WriteByte(c)
	}
	if quoted && i < len(s.rest) {
		s.rest = s.rest[i+1:]
	} else {
		s.rest = s.rest[i:]
	}
	return word.String()
}
