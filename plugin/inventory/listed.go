package inventory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// listing is what HAProxy's own files say within a job.
type listing struct {
	rules   rules
	layouts map[string]loaded // by path: certificates whose line names files
	certs   []loaded
	updates map[string]bool // path: HAProxy updates the response itself
	// zeroWarning: it does not start with warnings.
	zeroWarning bool
}

func (g *listing) layout(path string) layout {
	l, ok := g.layouts[path]
	if !ok {
		return g.rules.layout(path)
	}
	return layout{ocsp: l.ocsp, issuer: l.issuer}
}

// listing reads the crt-lists and the configurations of a source.
func (l *look) listing(s Source) *listing {
	config := newServed()
	for _, path := range s.HAProxyConfigs {
		l.text(s.Job, path, func(text string) []error { return config.parse(path, text) })
	}
	g := &listing{rules: config.rules, layouts: map[string]loaded{}, certs: config.certs, updates: map[string]bool{}, zeroWarning: config.zeroWarning}
	lists := config.lists
	for _, path := range s.CrtLists {
		lists = append(lists, loaded{entry: entry{path: path}})
	}
	known := map[string]bool{}
	for _, list := range lists {
		if !known[list.path] {
			known[list.path] = true
			l.crtList(s.Job, list.path, config, g)
		}
	}
	if g.rules.chains != "" {
		l.looked = append(l.looked, filepath.Join(g.rules.chains, "x"))
	}
	for _, list := range lists {
		l.looked = append(l.looked, list.path)
	}
	for _, c := range g.certs {
		l.looked = append(l.looked, c.path)
		if c.folder {
			l.looked = append(l.looked, filepath.Join(c.path, "x"))
		}
		if c.own {
			g.layouts[c.path] = c
		}
		if c.update {
			g.updates[c.path] = true
		}
	}
	return g
}

// crtList reads one crt-list, whose relative paths begin at crt-base.
func (l *look) crtList(job, path string, config *served, g *listing) {
	before := len(config.certs)
	l.text(job, path, func(text string) []error {
		entries, problems := parseCrtList(text)
		for _, e := range entries {
			if err := config.add(loaded{entry: e, where: path}, config.base); err != nil {
				problems = append(problems, lineError{e.line, err})
			}
		}
		return problems
	})
	g.certs = append(g.certs, config.certs[before:]...)
}

// text reads a file of HAProxy's. One that can't be read for a moment stands
// as it was: its certificates go on.
func (l *look) text(job, path string, parse func(string) []error) {
	text, err := l.files.text(path)
	if err != nil {
		l.problem(job, "", path, err)
		var kept bool
		if text, kept = l.texts[path]; !kept {
			return
		}
	}
	l.nextTexts[path] = text
	for _, err := range parse(text) {
		l.problem(job, "", path, err)
	}
}

// addListed adds what HAProxy's files name and nothing has named before.
func (l *look) addListed(job string, g *listing) {
	named := make([]string, len(g.certs))
	for i, c := range g.certs {
		named[i] = c.path
	}
	l.files.ahead(named) // of a folder there is nothing to read
	for _, c := range g.certs {
		paths := []string{c.path}
		if fi, err := os.Stat(c.path); err == nil && fi.IsDir() {
			if !c.folder {
				l.problem(job, "", c.where, lineError{c.line, fmt.Errorf("%s is a folder", c.path)})
				continue
			}
			if paths, err = folder(c.path); err != nil {
				l.problem(job, "", c.path, err)
			}
			l.files.ahead(paths)
		} else if files := bundle(c.path); g.rules.bundles && len(files) > 0 {
			paths = files
		}
		for _, path := range paths {
			if !l.paths[place{job, path}] {
				l.addFound(job, path, c.alias, g)
			}
		}
		l.note(job, c, g)
	}
}

// note says where a starting HAProxy will lack what is pushed while it runs.
func (l *look) note(job string, c loaded, g *listing) {
	switch {
	case g.layout(c.path).ocsp != "" || !l.paths[place{job, c.path}]:
	case c.own:
		l.problem(job, "", c.where, lineError{c.line, fmt.Errorf("HAProxy looks for no response beside %s, so that none is stapled after a reload until it is pushed again: add \"ocsp %s.ocsp\"", c.path, c.path)})
	default:
		l.problem(job, "", c.path, errors.New("ssl-load-extra-files leaves out \"ocsp\", so that nothing is stapled after a reload until it is pushed again: add it"))
	}
}

// nameListed is the name of a certificate with an alias, as nameOf for others.
func nameListed(path, alias string) (string, error) {
	if alias == "" || strings.HasPrefix(alias, ".") {
		return nameOf(path)
	}
	return nameOf(alias + ".pem")
}
