package responder

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// reach says who may dial an address.
type reach int

const (
	public  reach = iota // anybody
	private              // only where private addresses are allowed
	never                // nobody
)

// notPublic lists addresses that are not free for all, the first match counts.
// IPv4 addresses inside IPv6 ones are taken out before the list is read.
var notPublic = []struct {
	prefix netip.Prefix
	reach  reach
}{
	// Services of clouds that hand secrets to whoever can make a machine send
	// them a request. Most are link-local; these are not.
	{netip.MustParsePrefix("100.100.100.200/32"), never},     // Alibaba
	{netip.MustParsePrefix("168.63.129.16/32"), never},       // Azure
	{netip.MustParsePrefix("192.0.0.192/32"), never},         // Oracle
	{netip.MustParsePrefix("fd00:ec2::/32"), never},          // AWS
	{netip.MustParsePrefix("fd20:ce::254/128"), never},       // Google
	{netip.MustParsePrefix("fd00:42::42/128"), never},        // Scaleway
	{netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), never}, // Oracle

	{netip.MustParsePrefix("0.0.0.0/8"), never},        // "this" network; 0.0.0.0 reaches loopback
	{netip.MustParsePrefix("169.254.0.0/16"), never},   // link-local
	{netip.MustParsePrefix("224.0.0.0/4"), never},      // multicast
	{netip.MustParsePrefix("240.0.0.0/4"), never},      // reserved, broadcast
	{netip.MustParsePrefix("::/128"), never},           // unspecified
	{netip.MustParsePrefix("fe80::/10"), never},        // link-local
	{netip.MustParsePrefix("ff00::/8"), never},         // multicast
	{netip.MustParsePrefix("10.0.0.0/8"), private},     // RFC 1918
	{netip.MustParsePrefix("172.16.0.0/12"), private},  // RFC 1918
	{netip.MustParsePrefix("192.168.0.0/16"), private}, // RFC 1918
	{netip.MustParsePrefix("127.0.0.0/8"), private},    // loopback
	{netip.MustParsePrefix("100.64.0.0/10"), private},  // carrier-grade NAT, RFC 6598
	{netip.MustParsePrefix("192.0.0.0/24"), private},   // RFC 6890
	{netip.MustParsePrefix("198.18.0.0/15"), private},  // benchmarks, RFC 2544
	{netip.MustParsePrefix("::1/128"), private},        // loopback
	{netip.MustParsePrefix("fc00::/7"), private},       // unique local, RFC 4193
	{netip.MustParsePrefix("fec0::/10"), private},      // site-local, RFC 3879
	{netip.MustParsePrefix("64:ff9b:1::/48"), private}, // local NAT64, RFC 8215
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056
	compat    = netip.MustParsePrefix("::/96")        // RFC 4291, 2.5.5.1
)

// reachOf classifies an address by where it leads in the end.
func reachOf(a netip.Addr) reach {
	a = embedded(a.WithZone("").Unmap())
	for _, n := range notPublic {
		if n.prefix.Contains(a) {
			return n.reach
		}
	}
	return public
}

// embedded is the IPv4 address that translators and tunnels make of an IPv6
// one, and any other address itself.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case !a.Is6():
		return a
	case nat64.Contains(a), compat.Contains(a) && a != netip.IPv6Unspecified() && a != netip.IPv6Loopback():
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

var errAddress = errors.New("this address may not be dialled")

// guardDial is a net.Dialer's ControlContext: it sees the address that is about
// to be dialled, after DNS.
func guardDial(allowPrivate bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s %q", errAddress, network, address)
		}
		return checkAddress(target.Addr(), allowPrivate)
	}
}

func checkAddress(a netip.Addr, allowPrivate bool) error {
	switch reachOf(a) {
	case public:
		return nil
	case private:
		if allowPrivate {
			return nil
		}
		return fmt.Errorf("%w: %s is private or loopback; allow_private_addresses or allowed_responders permit it", errAddress, a)
	}
	return fmt.Errorf("%w: %s is link-local, multicast or a cloud's metadata service", errAddress, a)
}

// checkLiteral is what can be said of a host that a proxy will resolve: a
// literal address is held to the rules. What is no proper address and yet may
// be read as one, such as 0x7f.1 or digits of another script, is refused.
func checkLiteral(host string, allowPrivate bool) error {
	host = strings.ToLower(strings.TrimRight(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return checkAddress(a, allowPrivate)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	switch {
	case host == "localhost" || last == "localhost":
		return checkAddress(netip.AddrFrom4([4]byte{127, 0, 0, 1}), allowPrivate)
	case strings.IndexFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0:
		return fmt.Errorf("%w: host %.80q is not plain ASCII", errAddress, host)
	case last == "" || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == "":
		return fmt.Errorf("%w: %.80q is no proper address", errAddress, host)
	}
	return nil
}
