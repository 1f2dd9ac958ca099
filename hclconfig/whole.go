package hclconfig

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// checkWhole refuses what is right in each block and wrong together. It runs
// when all files could be read and everything in them is valid.
func (p *parser) checkWhole(c *Config) {
	if c.Consul == nil {
		p.checkStandalone(c)
	}
	p.checkFiles(c)
	p.checkCanaries(c)
}

func (p *parser) checkStandalone(c *Config) {
	if c.Service != nil {
		p.fail(p.places[c.Service.Source], "service without consul", "A service is registered in Consul, and there is no consul block."+
			" Add a consul block, or remove this one.")
	}
	const remedy = " Add a consul block; an empty one, consul {}, takes Consul's defaults and environment."
	if at, ok := p.places[c.Announce.Source]; ok {
		p.fail(at, "announce without consul", "Certificates are announced in Consul, and there is no consul block."+remedy)
	}
	for _, j := range c.Jobs {
		if j.HasCertificates() {
			return
		}
	}
	at := hcl.Range{Filename: c.Files[0], Start: hcl.InitialPos, End: hcl.InitialPos}
	if len(c.Jobs) > 0 {
		at = p.places[c.Jobs[0].Source]
	}
	p.fail(at, "Nothing to do", "No job names a certificate, and without a consul block no other node can announce one. "+
		"Add a certificate to a job:\n  job \"edge\" {\n    certificate \"www\" { path = \"/etc/haproxy/certs/www.pem\" }\n  }\nOr work for a cluster."+remedy)
}

// checkFiles refuses one file for the responses of two certificates.
func (p *parser) checkFiles(c *Config) {
	type owner struct {
		path string
		at   Source
	}
	owners := map[string]owner{}
	for _, j := range c.Jobs {
		for _, cert := range j.Certificates {
			file := cert.OCSPFile
			if file == "" {
				file = cert.Path + ".ocsp"
			}
			file, path := filepath.Clean(file), filepath.Clean(cert.Path)
			first, ok := owners[file]
			if !ok {
				owners[file] = owner{path: path, at: cert.Source}
				continue
			}
			if first.path != path {
				p.fail(p.places[cert.Source], "One file for two certificates",
					fmt.Sprintf("The response of certificate %q would be written to %s, which is that of the certificate at %s. Give one of them another ocsp_file.",
						cert.Name, file, first.at))
			}
		}
	}
}
