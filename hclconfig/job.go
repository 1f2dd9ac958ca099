package hclconfig

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// job reads a job block below what holds for all jobs.
func (p *parser) job(b *block, c *Config) Job {
	j := DefaultJob(c)
	j.Name, j.Source = b.label(0), b.source()
	if f := b.one("fetch"); f != nil {
		j.Fetch = p.fetch(f, j.Fetch)
	}
	p.certificates(b, &j)
	b.boolean("write_files", &j.WriteFiles)
	b.boolean("write_issuer", &j.WriteIssuer)
	b.text("connect", &j.Connect, orEmpty(hostPort))
	p.deliver(b, &j)
	if canary := b.one("canary"); canary != nil {
		j.Canary = p.canary(canary, &j)
	}
	b.done()
	p.checkWays(b, &j, c)
	p.checkRemoval(b, &j)
	return j
}

// certificates reads everything by which a job names certificates.
func (p *parser) certificates(b *block, j *Job) {
	named := b.all("certificate", "NAME")
	b.distinct(named)
	for _, inner := range named {
		j.Certificates = append(j.Certificates, p.certificate(inner, j.Fetch))
	}
	for _, inner := range b.all("certificates") {
		j.Globs = append(j.Globs, p.globs(inner))
	}
	for _, inner := range b.all("crt_list") {
		j.CrtLists = append(j.CrtLists, CrtList{Path: inner.file(), Source: inner.source()})
	}
	for _, inner := range b.all("haproxy_config") {
		j.HAProxyConfig = append(j.HAProxyConfig, HAProxyConfig{Path: inner.file(), Source: inner.source()})
	}
}

// file reads a block that holds a path and nothing else.
func (b *block) file() string {
	var path string
	b.require("path", `"/etc/haproxy/…"`)
	b.text("path", &path, absoluteFile)
	b.done()
	return path
}

func (p *parser) certificate(b *block, around Fetch) Certificate {
	c := Certificate{Name: b.label(0), Fetch: around, Source: b.source()}
	b.require("path", `"/etc/haproxy/certs/www.pem"`)
	b.text("path", &c.Path, absoluteFile)
	b.text("issuer", &c.Issuer, orEmpty(absoluteFile))
	b.text("ocsp_file", &c.OCSPFile, orEmpty(absoluteFile))
	// What may differ here may stand in the certificate itself or, as for jobs,
	// in a fetch block of it.
	p.fetchOne(b, &c.Fetch)
	p.allowed(b, &c.Fetch)
	if f := b.one("fetch"); f != nil {
		for name, a := range f.attrs {
			if own := b.attrs[name]; own != nil {
				p.duplicate("attribute "+name, a.NameRange, own.NameRange)
			}
		}
		c.Fetch = p.fetchCertificate(f, c.Fetch)
	}
	b.done()
	p.checkOCSPFile(b, c)
	return c
}

// checkOCSPFile refuses to write where something else is read.
func (p *parser) checkOCSPFile(b *block, c Certificate) {
	if c.OCSPFile == "" {
		return
	}
	file := filepath.Clean(c.OCSPFile)
	var problem string
	switch {
	case c.Path == "":
	case file == filepath.Clean(c.Path):
		problem = "The certificate itself would be overwritten."
	case c.Issuer != "" && file == filepath.Clean(c.Issuer):
		problem = "The issuer's certificate would be overwritten."
	case filepath.Dir(file) == filepath.Dir(filepath.Clean(c.Path)) && !strings.HasSuffix(file, ".ocsp"):
		// https://docs.haproxy.org/3.0/configuration.html#5.1-crt
		problem = "HAProxy takes every other file in a folder of certificates for a certificate."
	}
	if problem != "" {
		p.invalid("ocsp_file", b.place("ocsp_file"), fmt.Sprintf("%s Write %q, or remove the line: that is the default.", problem, c.Path+".ocsp"))
	}
}

// globs reads a certificates block.
func (p *parser) globs(b *block) Certificates {
	c := Certificates{Source: b.source()}
	before := len(p.diags)
	b.require("paths", `["/etc/haproxy/certs"]`)
	b.texts("paths", &c.Paths, absolute, isGlob)
	b.texts("exclude", &c.Exclude, printable, exclusion)
	b.done()
	if a := b.attrs["paths"]; a != nil && len(c.Paths) == 0 && len(p.diags) == before {
		p.invalid("paths", a.Expr.Range(), "The list is empty. Name folders or globs, or remove the block.")
	}
	b.unique("paths", c.Paths)
	return c
}

// isGlob accepts patterns that can be matched.
func isGlob(v string) string {
	if doublestar.ValidatePattern(v) {
		return ""
	}
	return fmt.Sprintf("%q is no pattern: a bracket or brace is left open. Put a backslash before it if it is part of the name.", v)
}

// exclusion accepts globs for whole paths or for file names.
func exclusion(v string) string {
	if v == "" || strings.Contains(v, "/") && !filepath.IsAbs(v) {
		return fmt.Sprintf("%q can't match. Write a glob for file names without a slash, or one for absolute paths.", v)
	}
	return isGlob(v)
}

// checkRemoval refuses to remove files that nginx does not start without.
func (p *parser) checkRemoval(b *block, j *Job) {
	for _, h := range j.HAProxy {
		for _, n := range j.Nginx {
			if h.OnRevoked == "remove" && n.File == "" {
				p.fail(b.at, "A file that nginx needs would be removed",
					fmt.Sprintf("The nginx at %s does not start without the files of ssl_stapling_file, and %s says on_revoked = \"remove\". "+
						"Give nginx files of its own, as in file = \"/etc/nginx/ocsp/{name}.ocsp\".", n.Source, h.Source))
			}
		}
	}
}

// checkWays refuses a job whose responses would go nowhere.
func (p *parser) checkWays(b *block, j *Job, c *Config) {
	if j.WriteFiles || !j.HasCertificates() {
		return
	}
	if len(j.HAProxy)+len(j.Nginx)+len(j.Exec) == 0 && c.Pull == nil {
		p.fail(b.place("write_files"), "Nothing is delivered",
			fmt.Sprintf("%s writes no files and has no deliver block: its responses would go nowhere. Remove write_files = false, or add a deliver block, or pull {}.", b.title))
	}
	for _, n := range j.Nginx {
		if n.File == "" {
			p.fail(b.place("write_files"), "Files that are not written",
				fmt.Sprintf("The nginx at %s reads <path>.ocsp. Remove write_files = false, or give it a file of its own, as in file = \"/etc/nginx/ocsp/{name}.ocsp\".", n.Source))
		}
	}
	for _, h := range j.HAProxy {
		if h.Method == "file" || h.Method == "reload" {
			p.fail(b.place("write_files"), "Files that are not written",
				fmt.Sprintf("The target at %s has method = %q, which works by files. Remove write_files = false, or use method = \"push\".", h.Source, h.Method))
		}
	}
}
