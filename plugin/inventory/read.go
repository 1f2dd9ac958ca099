package inventory

import (
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

// reader is what stays between two looks at the same sources.
type reader struct {
	files *files
	last  map[place]Certificate // what the look before found
}

// place is a file within a job.
type place struct{ job, path string }

// look is one look at all sources.
type look struct {
	*reader
	certs    []Certificate
	problems []Problem
	names    map[place]string  // job and name -> path
	paths    map[place]bool    // job and path
	writes   map[string]string // OCSP file -> id
}

func (r *reader) read(sources []Source) ([]Certificate, []Problem) {
	r.files.next()
	l := &look{reader: r, names: map[place]string{}, paths: map[place]bool{}, writes: map[string]string{}}
	for _, s := range sources {
		for _, single := range s.Certificates {
			l.add(s.Job, single, true)
		}
		for _, set := range s.Sets {
			paths, problems := expand(set)
			for _, p := range problems {
				p.Job = s.Job
				l.problems = append(l.problems, p)
			}
			for _, path := range paths {
				if !l.paths[place{s.Job, path}] {
					l.addFound(s.Job, path)
				}
			}
		}
	}
	r.last = make(map[place]Certificate, len(l.certs))
	for _, c := range l.certs {
		r.last[place{c.Job, c.Path}] = c
	}
	return l.certs, l.problems
}

func (l *look) addFound(job, path string) {
	name, err := nameOf(path)
	if err != nil {
		l.problem(job, "", path, err)
		return
	}
	l.add(job, Single{Name: name, Path: path}, false)
}

func (l *look) problem(job, name, path string, err error) {
	l.problems = append(l.problems, Problem{Job: job, Name: name, Path: path, Err: err})
}

// add reads one certificate.
func (l *look) add(job string, s Single, named bool) {
	s.Path = filepath.Clean(s.Path)
	if l.paths[place{job, s.Path}] {
		l.problem(job, s.Name, s.Path, errors.New("the job lists this file under another name too"))
		return
	}
	if other, clash := l.names[place{job, s.Name}]; clash {
		l.problem(job, s.Name, s.Path, fmt.Errorf("%s has the same name: give one of them a name of its own as a certificate, or exclude it", other))
		return
	}
	c, err := l.certificate(job, s)
	if err != nil {
		l.problem(job, s.Name, s.Path, err)
		var kept bool
		if c, kept = l.last[place{job, s.Path}]; !kept {
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

// certificate reads one file and finds its issuer.
func (l *look) certificate(job string, s Single) (Certificate, error) {
	file, err := l.files.pem(s.Path)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{
		ID: staple.ID(file.leaf), Job: job, Name: s.Name, Path: s.Path, OCSPFile: s.OCSPFile, Leaf: file.leaf,
		Names: staple.Names(file.leaf), MustStaple: staple.MustStaple(file.leaf),
	}
	if c.OCSPFile == "" {
		c.OCSPFile = s.Path + ".ocsp"
	}
	l.findIssuer(&c, s, file)
	return c, nil
}

// findIssuer looks where the operator said, in the PEM and beside it. A file
// that is of no use is a Problem and the next place is tried.
func (l *look) findIssuer(c *Certificate, s Single, file pemFile) {
	beside := s.Path + ".issuer"
	c.IssuerInPEM = file.issuer != nil
	if !c.IssuerInPEM {
		first := l.files.first(beside)
		c.IssuerInFile = first != nil && staple.CheckIssuer(c.Leaf, first) == nil
	}
	if s.Issuer != "" {
		if l.fromFile(c, s.Issuer, FromConfig) {
			return
		}
	}
	if file.issuer != nil {
		c.Issuer, c.IssuerFrom = file.issuer, FromPEM
		return
	}
	if exists(beside) {
		l.fromFile(c, beside, FromFile)
	}
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
