package responder

import (
	"net/netip"
	"path"
	"strings"
)

// Guard says which hosts and addresses a request may reach. Link-local,
// multicast, unspecified and cloud metadata addresses are out of reach whatever
// it says. The zero Guard permits public addresses of any host.
type Guard struct {
	// AllowPrivate permits private, loopback, carrier-grade NAT and unique local
	// addresses for the URL itself, not for where it redirects: for responders
	// of the job file and of the agent's own certificates.
	AllowPrivate bool
	// AllowPrivateAddresses permits them for redirects, too.
	AllowPrivateAddresses bool
	// AllowedResponders are patterns of host names without port, such as
	// "ocsp.example.com", "*.example.com" or "10.1.2.3" (path.Match; a star
	// matches dots, too; case does not matter). If there is one, every host
	// asked must match one, and those that match may have private addresses.
	AllowedResponders []string
}

// permits says whether host may be asked, and whether at a private address.
func (g Guard) permits(host string, redirected bool) (allowed, privateToo bool) {
	privateToo = g.AllowPrivateAddresses || g.AllowPrivate && !redirected
	if len(g.AllowedResponders) == 0 {
		return true, privateToo
	}
	for _, pattern := range g.AllowedResponders {
		if matchHost(pattern, host) {
			return true, true
		}
	}
	return false, false
}

func matchHost(pattern, host string) bool {
	pattern, host = canonicalHost(pattern), canonicalHost(host)
	if pattern == host {
		return pattern != ""
	}
	ok, err := path.Match(pattern, host)
	return ok && err == nil
}

// canonicalHost makes different writings of a host equal.
func canonicalHost(h string) string {
	h = strings.ToLower(strings.TrimSuffix(h, "."))
	if a, err := netip.ParseAddr(strings.Trim(h, "[]")); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return h
}
