package haproxytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ConfigFile is the path of the configuration, for tests that change it.
func (p *Process) ConfigFile() string { return filepath.Join(p.dir, "haproxy.cfg") }

// SetCerts changes what the next Reload or Restart loads.
func (p *Process) SetCerts(certs ...string) {
	p.o.Certs = certs
	p.writeConfig()
}

// Break has what a Reload loads end in the keyword "bogus", which HAProxy names
// when it refuses it.
func (p *Process) Break() {
	p.t.Helper()
	config, err := os.ReadFile(p.ConfigFile())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.ConfigFile(), append(config, "\tbogus\n"...), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Mend makes the configuration anew, without what a test or Break did to it.
func (p *Process) Mend() {
	p.t.Helper()
	p.writeConfig()
}

func (p *Process) writeConfig() {
	p.t.Helper()
	level := p.o.SocketLevel
	if level == "" {
		level = "admin"
	}
	var certs strings.Builder
	for _, c := range p.o.Certs {
		fmt.Fprintf(&certs, " crt %s", strings.ReplaceAll(c, " ", `\ `))
	}
	config := fmt.Sprintf(`global
	stats socket %s mode 600 level %s
	stats timeout 10s
%s
defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend tls
	bind %s ssl%s %s
	http-request return status 200 content-type text/plain string "ok"
`, p.Socket(), level, p.o.ExtraGlobal, p.Address(), certs.String(), p.o.ExtraBind)
	if err := os.WriteFile(p.ConfigFile(), []byte(config), 0o600); err != nil {
		p.t.Fatal(err)
	}
}
