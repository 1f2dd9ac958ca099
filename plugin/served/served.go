// Package served compares the certificates that a HAProxy serves with this node's
// files.
package served

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// The words for what a HAProxy serves and the files don't explain.
const (
	ReasonUnlisted   = "unlisted"
	ReasonOtherBytes = "other-bytes"
)

// Comparison is how what one HAProxy serves differs from the files.
type Comparison struct {
	unlisted []haproxy.Served // which no job names
	unknown  map[string]error // likewise, and why their files can't be looked at, by HAProxy's name
	changed  map[string]inventory.Certificate
}

// Compare looks for certificates that HAProxy serves and that are in no file of
// the jobs. Those for which no CA answers are nobody's business.
func Compare(served []haproxy.Served, own []inventory.Certificate) Comparison {
	c := Comparison{changed: map[string]inventory.Certificate{}, unknown: map[string]error{}}
	prints, paths := map[string]bool{}, map[string]inventory.Certificate{}
	for _, o := range own {
		prints[Fingerprint(o)] = true
		paths[o.Path] = o
	}
	for _, s := range served {
		if prints[s.SHA1] {
			continue
		}
		for _, path := range []string{s.Name, s.File} {
			if o, ok := paths[path]; ok {
				c.changed[s.Name] = o
			}
		}
		if _, ok := c.changed[s.Name]; ok {
			continue
		}
		switch cert, err := read(s.File); {
		case err != nil:
			c.unknown[s.Name] = err
		case answeredFor(cert):
			c.unlisted = append(c.unlisted, s)
		}
	}
	return c
}

// Troubles are the differences in words. Of a job that discovers what HAProxy
// serves it is none that no job names it.
func (c Comparison) Troubles(job, target string, discovers bool) []record.NodeTrouble {
	var list []record.NodeTrouble
	now := time.Now().UTC()
	for _, s := range c.unlisted {
		if !discovers {
			list = append(list, record.NodeTrouble{Job: job, Target: target, Reason: ReasonUnlisted, Since: now,
				Error: fmt.Sprintf("HAProxy serves %s, which no job names and nobody staples: add it, or set discover = true", s.Name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.unknown)) {
		list = append(list, record.NodeTrouble{Job: job, Target: target, Reason: ReasonUnlisted, Since: now,
			Error: fmt.Sprintf("HAProxy serves %s, which no job names, or which has changed in its file; that can't be looked at (%v): name it, as by haproxy_config, or reload", name, c.unknown[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(c.changed)) {
		o := c.changed[name]
		list = append(list, record.NodeTrouble{ID: o.ID, Job: o.Job, Name: o.Name, Target: target, Reason: ReasonOtherBytes, Since: now,
			Error: fmt.Sprintf("HAProxy serves %s as it was before the file changed: reload it", name)})
	}
	return list
}

// Files are those of certificates that no job names, and that are what HAProxy has
// loaded.
func Files(served []haproxy.Served, own []inventory.Certificate) []string {
	named := map[string]bool{}
	for _, o := range own {
		named[o.Path] = !o.Discovered
	}
	var files []string
	for _, s := range served {
		if s.File == "" || named[s.File] {
			continue
		}
		if cert, err := read(s.File); err == nil && answeredFor(cert) {
			files = append(files, s.File)
		}
	}
	return files
}

// Found are the certificates in those files, as ones of the job.
func Found(job string, served []haproxy.Served, own []inventory.Certificate) []inventory.Certificate {
	var list []inventory.Certificate
	for _, file := range Files(served, own) {
		if cert, err := read(file); err == nil {
			cert.Job, cert.Discovered = job, true
			list = append(list, cert)
		}
	}
	return list
}

// answeredFor reports whether a CA is to answer for the certificate.
func answeredFor(c inventory.Certificate) bool { return c.MustStaple || len(c.Leaf.OCSPServer) > 0 }

func read(path string) (inventory.Certificate, error) {
	if path == "" {
		return inventory.Certificate{}, errors.New("HAProxy does not say where it is from")
	}
	return inventory.ReadFile(path)
}

// Fingerprint is what HAProxy says of a certificate that it has loaded: the
// SHA-1 of its DER, in lower-case hex.
func Fingerprint(c inventory.Certificate) string {
	sum := sha1.Sum(c.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}
