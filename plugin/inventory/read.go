package inventory

import (
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// Read finds the certificates of all sources, in their order, within a set by
// path. A file that two jobs list is a certificate of each; within a job it is
// one, and a certificate that is listed by itself counts before a set.
func Read(sources []Source) ([]Certificate, []Problem) {
	r := reader{files: newFiles(time.Now)}
	return r.read(sources)
}

// ReadFile is the certificate in a file that no job names.
func ReadFile(path string) (Certificate, error) {
	found, problems := Read([]Source{{Job: "file", Certificates: []Single{{Name: "certificate", Path: path}}}})
	if len(problems) > 0 {
		return Certificate{}, problems[0].InFile()
	}
	if len(found) == 0 {
		return Certificate{}, fmt.Errorf("%s: no certificate", path)
	}
	return found[0], nil
}

// reader is what stays between two looks at the same sources.
type reader struct {
	files  *files
	last   []Certificate     // what the look before found
	texts  map[string]string // HAProxy's own files, as they were then
	looked []string          // what HAProxy's files name, there or not: something may come to be there
}

// place is a file within a job.
type place struct{ job, path string }

// look is one look at all sources.
type look struct {
	*reader
	certs     []Certificate
	earlier   map[place]Certificate // last by its places; nil: nobody has asked
	problems  []Problem
	names     map[place]string  // job and name -> path
	paths     map[place]bool    // job and path
	writes    map[string]string // OCSP file -> id
	nextTexts map[string]string
	chains    map[string][]*x509.Certificate // by folder
}

func (r *reader) read(sources []Source) ([]Certificate, []Problem) {
	r.files.next()
	l := &look{reader: r, names: map[place]string{}, paths: map[place]bool{}, writes: map[string]string{}, nextTexts: map[string]string{}, chains: map[string][]*x509.Certificate{}}
	r.looked = nil
	for _, s := range sources {
		listing := l.listing(s)
		for _, single := range s.Certificates {
			l.addSingle(s.Job, single, listing)
		}
		for _, set := range s.Sets {
			paths, problems := expand(set)
			for _, p := range problems {
				p.Job = s.Job
				l.problems = append(l.problems, p)
			}
			l.files.ahead(paths)
			for _, path := range paths {
				if !l.paths[place{s.Job, path}] {
					l.addFound(s.Job, path, "", listing)
				}
			}
		}
		l.addListed(s.Job, listing)
		l.files.ahead(s.Discovered)
		for _, path := range s.Discovered {
			if path = filepath.Clean(path); !l.paths[place{s.Job, path}] {
				before := len(l.certs)
				l.addFound(s.Job, path, "", listing)
				for i := range l.certs[before:] {
					l.certs[before+i].Discovered = true
				}
			}
		}
	}
	r.texts = l.nextTexts
	r.last = l.certs
	return l.certs, l.problems
}

func (l *look) addFound(job, path, alias string, g *listing) {
	name, err := nameListed(path, alias)
	if err != nil {
		l.problem(job, "", path, err)
		return
	}
	l.add(job, Single{Name: name, Path: path}, g)
}

// addSingle adds what the operator named: a file, or the files of a bundle.
func (l *look) addSingle(job string, s Single, g *listing) {
	files := bundle(s.Path)
	if len(files) == 0 || !g.rules.bundles || s.OCSPFile != "" {
		l.add(job, s, g)
		return
	}
	for _, path := range files {
		l.add(job, Single{Name: s.Name + keyType(path), Path: path, Issuer: s.Issuer}, g)
	}
}

func (l *look) problem(job, name, path string, err error) {
	l.problems = append(l.problems, Problem{Job: job, Name: name, Path: path, Err: err})
}

// add reads one certificate.
func (l *look) add(job string, s Single, g *listing) {
	s.Path = filepath.Clean(s.Path)
	if l.paths[place{job, s.Path}] {
		l.problem(job, s.Name, s.Path, errors.New("the job lists this file under another name too"))
		return
	}
	if other, clash := l.names[place{job, s.Name}]; clash {
		l.problem(job, s.Name, s.Path, fmt.Errorf("%s has the same name: give one of them a name of its own as a certificate, or exclude it", other))
		return
	}
	c, err := l.certificate(job, s, g)
	if err != nil {
		l.problem(job, s.Name, s.Path, err)
		var kept bool
		if c, kept = l.before(place{job, s.Path}); !kept {
			return
		}
		c.Name = s.Name
	}
	if c.OCSPFile == c.Path {
		l.problem(job, s.Name, s.Path, errors.New("ocsp_file is the certificate's own file"))
		return
	}
	if id, taken := l.writes[c.OCSPFile]; taken && id != c.ID {
		l.problem(job, s.Name, s.Path, fmt.Errorf("another certificate's response goes to %s too", c.OCSPFile))
		return
	}
	l.writes[c.OCSPFile] = c.ID
	l.names[place{job, s.Name}] = s.Path
	l.paths[place{job, s.Path}] = true
	l.certs = append(l.certs, c)
}

// before is what the look before found at a place. Files that can't be read are
// few: what finds them is made for them alone.
func (l *look) before(at place) (Certificate, bool) {
	if l.earlier == nil {
		l.earlier = make(map[place]Certificate, len(l.last))
		for _, c := range l.last {
			l.earlier[place{c.Job, c.Path}] = c
		}
	}
	c, ok := l.earlier[at]
	return c, ok
}

// certificate reads one file and finds its issuer.
func (l *look) certificate(job string, s Single, g *listing) (Certificate, error) {
	file, err := l.files.pem(s.Path)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{
		ID: file.id, Job: job, Name: s.Name, Path: s.Path, OCSPFile: s.OCSPFile, Leaf: file.leaf,
		Names: file.names, MustStaple: file.mustStaple,
	}
	where := g.layout(s.Path)
	if c.OCSPFile == "" {
		c.OCSPFile = where.ocsp
	}
	if c.OCSPFile == "" {
		c.OCSPFile = s.Path + ".ocsp"
	}
	c.IssuerFile, c.SelfUpdating, c.ZeroWarning = where.issuer, g.updates[s.Path], g.zeroWarning
	l.findIssuer(&c, s, file, g.rules.chains)
	return c, nil
}

// findIssuer looks where the operator said, in the PEM, beside it and among
// HAProxy's chains. A file that is of no use is a Problem and the next place is
// tried.
func (l *look) findIssuer(c *Certificate, s Single, file pemFile, chains string) {
	c.IssuerInPEM = file.issuer != nil
	var chained *x509.Certificate
	if !c.IssuerInPEM {
		if file.alone && chains != "" {
			chained = l.fromChains(c.Leaf, chains)
		}
		first := l.files.first(c.IssuerFile)
		c.IssuerInFile = chained != nil || first != nil && staple.CheckIssuer(c.Leaf, first) == nil
	}
	if s.Issuer != "" {
		if l.fromFile(c, s.Issuer, FromConfig) {
			return
		}
	}
	switch {
	case file.issuer != nil:
		c.Issuer, c.IssuerFrom, c.Pair = file.issuer, FromPEM, file.pair
	case chained != nil:
		c.Issuer, c.IssuerFrom = chained, FromChains
	case c.IssuerFile != "" && exists(c.IssuerFile):
		l.fromFile(c, c.IssuerFile, FromFile)
	}
}

// fromChains looks in HAProxy's issuers-chain-path: the first certificate of
// each file there completes a PEM that holds nothing but its leaf.
func (l *look) fromChains(leaf *x509.Certificate, chains string) *x509.Certificate {
	if _, known := l.chains[chains]; !known {
		paths, _ := folder(chains) // one that HAProxy can't read stops its start
		l.chains[chains] = nil
		for _, path := range paths {
			if first := l.files.first(path); first != nil {
				l.chains[chains] = append(l.chains[chains], first)
			}
		}
	}
	return staple.FindIssuer(leaf, l.chains[chains])
}

func (l *look) fromFile(c *Certificate, path string, from IssuerFrom) bool {
	list, err := l.files.certificates(path)
	if err == nil {
		if c.Issuer = staple.FindIssuer(c.Leaf, list); c.Issuer != nil {
			c.IssuerFrom = from
			return true
		}
		err = errors.New("it holds no issuer of this certificate")
	}
	l.problem(c.Job, c.Name, c.Path, fmt.Errorf("issuer file %s: %w", path, err))
	return false
}
