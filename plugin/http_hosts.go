package plugin

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// privateNames are the last labels of names that no stranger can have point at
// this host: https://www.rfc-editor.org/rfc/rfc6761, rfc6762, rfc8375, ICANN's
// resolution 2024.07.29.06 for internal, and what Consul's DNS goes by.
var privateNames = []string{"localhost", "local", "home.arpa", "internal", "test", "consul"}

// expectedHosts says which Host headers are answered; nil: any. A page from
// elsewhere can have its own name point here (DNS rebinding) and then read what
// it asks for; but not under a name that is not its own. Over TLS, browsers look
// at the certificate; and no page gets to a unix socket.
func (p *parts) expectedHosts(block *hclconfig.HTTP) func(host string) bool {
	if block.TLS != nil || strings.HasPrefix(block.Address, "unix://") {
		return nil
	}
	own := []string{p.settings.Load().Config.NodeName}
	if host, _, err := net.SplitHostPort(block.Address); err == nil {
		own = append(own, host)
	}
	if host, err := os.Hostname(); err == nil {
		own = append(own, host)
		for _, domain := range searched("/etc/resolv.conf") {
			own = append(own, host+"."+domain)
		}
	}
	return func(host string) bool { return expected(host, slices.Concat(own, []string{p.self()}), block.Hosts) }
}

// expected tells whether a Host header is an address, a name that is known
// inside only, one of own, or fits a pattern. Without one whoever asks is no
// browser.
func expected(header string, own, patterns []string) bool {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return true
	}
	return slices.ContainsFunc(privateNames, func(p string) bool { return strings.HasSuffix(name, "."+p) }) ||
		slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(o, name) }) ||
		slices.ContainsFunc(patterns, func(p string) bool { return hclconfig.MatchHost(p, name) })
}

// searched are the domains that a host appends to short names: its own ones.
func searched(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var domains []string
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && (words[0] == "search" || words[0] == "domain") {
			domains = append(domains, words[1:]...)
		}
	}
	return domains
}

// pageOf is where others find this agent's page, as far as the job file says it:
// empty for a socket, for loopback, and for all addresses without a name.
func pageOf(block *hclconfig.HTTP) string {
	if block == nil {
		return ""
	}
	host, port, err := net.SplitHostPort(block.Address)
	if err != nil || strings.HasPrefix(block.Address, "unix://") {
		return ""
	}
	if address, err := netip.ParseAddr(host); host == "localhost" || err == nil && (address.IsLoopback() || address.IsUnspecified()) {
		host = ""
	}
	if named := slices.IndexFunc(block.Hosts, func(h string) bool { return !strings.Contains(h, "*") }); named >= 0 {
		host = block.Hosts[named]
	}
	if host == "" {
		return ""
	}
	page := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/"}
	if block.TLS != nil {
		page.Scheme = "https"
	}
	return page.String()
}
