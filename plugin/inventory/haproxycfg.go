package inventory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// served is what HAProxy's configuration says of its certificates. Several
// files of one process are read into the same one, in their order.
type served struct {
	rules rules
	certs []loaded
	lists []loaded // crt-lists: only where and path are set
	env   map[string]string

	section       string
	base          string // crt-base of the global section
	storeBase     string // that of the crt-store
	store         string
	aliases       map[string]bool // "@store/name" that a crt-store loads
	updatesByRule bool            // ocsp-update.mode on
	zeroWarning   bool
}

// loaded is a certificate, a folder of them or a crt-list, with an absolute path.
type loaded struct {
	entry
	where string // file of the configuration
}

func newServed() *served {
	return &served{rules: standardRules(), env: map[string]string{}, aliases: map[string]bool{}}
}

// parse reads one file of HAProxy's configuration. Of all its keywords only
// those are looked at that name certificates, or files beside them; the
// conditions of .if are not known here, and both ways are read.
func (s *served) parse(file, text string) (problems []error) {
	s.section = ""
	for n, line := range strings.Split(text, "\n") {
		if !mayMatter(line) {
			continue
		}
		if err := s.line(file, n+1, line); err != nil {
			problems = append(problems, lineError{n + 1, err})
		}
		if len(s.certs)+len(s.lists) > maxEntries {
			return append(problems, lineError{n + 1, errors.New("too many certificates")})
		}
	}
	return problems
}

// sections are the words that begin one; of all others only those lines count
// that [served.line] knows.
var sections = map[string]bool{
	"global": true, "defaults": true, "frontend": true, "backend": true, "listen": true, "peers": true, "resolvers": true,
	"userlist": true, "mailers": true, "cache": true, "program": true, "http-errors": true, "ring": true, "log-forward": true,
	"log-profile": true, "fcgi-app": true, "crt-store": true, "traces": true, "acme": true,
}

// mayMatter passes over lines that hold no word of ours, so that nothing in
// them, such as a variable of another keyword, is an error here.
func mayMatter(line string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(line, " \t\""), " ")
	first, _, _ = strings.Cut(strings.TrimRight(first, "\r\""), "\t")
	switch first {
	case "bind", "load", "ssl-f-use":
		return strings.Contains(line, "crt")
	case "crt-base", "ssl-load-extra-files", "ssl-load-extra-del-ext", "issuers-chain-path", "ocsp-update.mode", "zero-warning", "setenv", "presetenv":
		return true
	}
	return sections[first]
}

func (s *served) line(file string, n int, line string) error {
	if len(line) > maxLine {
		return fmt.Errorf("longer than %d bytes", maxLine)
	}
	args, err := words(line, s.lookup)
	if err != nil || len(args) == 0 {
		return err
	}
	if sections[args[0]] {
		s.section, s.store, s.storeBase = args[0], "", s.base
		if args[0] == "crt-store" && len(args) > 1 {
			s.store = args[1]
		}
		return nil
	}
	switch s.section {
	case "global":
		return s.global(args)
	case "crt-store":
		return s.crtStore(file, n, args)
	}
	switch args[0] {
	case "bind":
		return s.bind(file, n, args)
	case "ssl-f-use":
		return s.load(file, n, args, s.base)
	}
	return nil
}

func (s *served) lookup(name string) (string, bool) {
	if v, ok := s.env[name]; ok {
		return v, true
	}
	return os.LookupEnv(name)
}

func (s *served) global(args []string) error {
	switch args[0] {
	case "ssl-load-extra-del-ext":
		s.rules.stripCRT = true
		return nil
	case "zero-warning":
		s.zeroWarning = true
		return nil
	}
	if len(args) < 2 {
		return fmt.Errorf("%s without a value", args[0])
	}
	switch args[0] {
	case "crt-base":
		s.base = args[1]
	case "issuers-chain-path":
		s.rules.chains = args[1]
	case "ocsp-update.mode":
		s.updatesByRule = args[1] == "on"
	case "ssl-load-extra-files":
		s.rules.ocsp, s.rules.issuer, s.rules.bundles = false, false, false
		for _, a := range args[1:] {
			s.rules.ocsp = s.rules.ocsp || a == "ocsp" || a == "all"
			s.rules.issuer = s.rules.issuer || a == "issuer" || a == "all"
			s.rules.bundles = s.rules.bundles || a == "bundle" || a == "all"
		}
	case "setenv", "presetenv":
		return s.setenv(args)
	}
	return nil
}

func (s *served) setenv(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%s without a name and a value", args[0])
	}
	if _, there := s.lookup(args[1]); !there || args[0] == "setenv" {
		s.env[args[1]] = args[2]
	}
	return nil
}

// bind reads "bind … ssl crt PATH crt-list PATH" (section 5.1).
func (s *served) bind(file string, n int, args []string) error {
	update := false
	var found []loaded
	for i := 2; i < len(args); i++ {
		switch args[i] {
		case "crt", "default-crt", "crt-list", "ocsp-update":
			if i+1 == len(args) {
				return fmt.Errorf("%s without a value", args[i])
			}
			l := loaded{entry: entry{path: args[i+1], line: n, folder: args[i] == "crt"}, where: file}
			switch args[i] {
			case "ocsp-update":
				update = args[i+1] == "on"
			case "crt-list":
				path, err := absolute(l.path, "")
				if err != nil {
					return err
				}
				l.path = path
				s.lists = append(s.lists, l)
			default:
				found = append(found, l)
			}
			i++
		}
	}
	for _, l := range found {
		l.update = update
		if err := s.add(l, s.base); err != nil {
			return err
		}
	}
	return nil
}

// crtStore reads the lines of a crt-store (section 12.7 of the manual of 3.0).
func (s *served) crtStore(file string, n int, args []string) error {
	switch args[0] {
	case "crt-base":
		if len(args) < 2 {
			return errors.New("crt-base without a value")
		}
		s.storeBase = args[1]
	case "load":
		return s.load(file, n, args, s.storeBase)
	}
	return nil
}

// load reads "load crt F [alias A] [ocsp F] [issuer F] …".
func (s *served) load(file string, n int, args []string, base string) error {
	l := loaded{entry: entry{line: n}, where: file}
	for i := 1; i+1 < len(args); i++ {
		switch args[i] {
		case "crt":
			l.path = args[i+1]
			i++
		case "alias":
			l.alias = args[i+1]
			i++
		}
	}
	if l.path == "" {
		return fmt.Errorf("%s without a crt", args[0])
	}
	if err := l.options(args[1:]); err != nil {
		return err
	}
	// A line of a crt-store looks for nothing beside the certificate.
	l.own = l.own || s.section == "crt-store"
	if s.section == "crt-store" {
		for _, name := range []string{l.path, l.alias} {
			s.aliases["@"+s.store+"/"+name] = true
		}
	}
	return s.add(l, base)
}

// add takes a certificate with the files that its line names.
func (s *served) add(l loaded, base string) error {
	if strings.HasPrefix(l.path, "@") {
		if !s.aliases[l.path] {
			return fmt.Errorf("%s: no crt-store before this line loads it", l.path)
		}
		return nil // it is in the list since then
	}
	l.update = l.update || s.updatesByRule
	for _, p := range []*string{&l.path, &l.ocsp, &l.issuer} {
		if *p == "" {
			continue
		}
		path, err := absolute(*p, base)
		if err != nil {
			return err
		}
		*p = path
	}
	s.certs = append(s.certs, l)
	return nil
}

// absolute puts a base before a path that has none.
func absolute(path, base string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	if !filepath.IsAbs(base) {
		return "", fmt.Errorf("%s is relative to the folder in which HAProxy was started, which is not known here: write an absolute path or set crt-base", path)
	}
	return filepath.Join(base, path), nil
}
