package hclconfig

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// MatchHost tells whether a host name or a literal address, without port, fits
// a pattern of allowed_responders. Letter case does not matter; a "*" stands
// for any characters, dots too: "*.example.com" fits every name below
// example.com and not example.com itself.
func MatchHost(pattern, host string) bool {
	fits, err := path.Match(plainHost(pattern), plainHost(host))
	return err == nil && fits
}

// plainHost makes different writings of a host equal.
func plainHost(h string) string {
	h = strings.ToLower(strings.TrimSuffix(h, "."))
	if a, err := netip.ParseAddr(strings.Trim(h, "[]")); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return h
}

// hostPattern accepts patterns for MatchHost.
func hostPattern(v string) string {
	if regexp.MustCompile(`^[A-Za-z0-9*._:-]+$`).MatchString(v) && !hasPort(v) {
		return ""
	}
	return fmt.Sprintf("%s is no pattern for hosts. Write a host name, an address or a \"*\" for any part, without scheme, port and path: \"*.example.com\".", quoted(v))
}

// hasPort tells host:port from an IPv6 address.
func hasPort(v string) bool { return strings.Count(v, ":") == 1 }

// hostOf returns the host of a URL without port, or "".
func hostOf(v string) string {
	u, err := url.Parse(v)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// redacted returns a URL without its password.
func redacted(v string) string {
	u, err := url.Parse(v)
	if err != nil {
		return "this URL"
	}
	return u.Redacted()
}

// quoted returns an address for messages, without what may be a password.
func quoted(v string) string {
	if i := strings.LastIndexByte(v, '@'); i >= 0 {
		v = "…" + v[i:]
	}
	return strconv.Quote(v)
}

// responderURL accepts where OCSP requests can be sent.
func responderURL(v string) string {
	if u, err := url.Parse(v); err == nil && u.User != nil {
		return "The URL holds a user or password, which would show in logs and status. Remove it; responders answer without."
	}
	return webURL(v, "http://ocsp.example.com")
}

// webhookURL accepts where events can be sent.
func webhookURL(v string) string { return webURL(v, "https://hooks.example.com/staples") }

func webURL(v, example string) string {
	u, err := url.Parse(v)
	switch {
	case printable(v) != "":
		return printable(v)
	case err != nil || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("It is no http or https URL. Write all of it: %q.", example)
	case u.Hostname() == "" || hostHeader(u.Host) != "":
		return fmt.Sprintf("The URL names no host. Write all of it: %q.", example)
	case u.Fragment != "":
		return "The URL has a fragment, which is never sent. Remove the \"#\" and what follows it."
	case u.Port() != "" && port(u.Port()) != "":
		return port(u.Port())
	}
	return ""
}

// hostHeader accepts host or host:port.
func hostHeader(v string) string {
	if regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$`).MatchString(v) {
		return ""
	}
	return fmt.Sprintf("%s is no host. Write its name, with a port where needed: \"ocsp.example.com\".", quoted(v))
}

// proxyAddress accepts a URL or host:port.
func proxyAddress(v string) string {
	if strings.Contains(v, "://") {
		return webURL(v, "http://proxy.example.com:3128")
	}
	return hostPort(v)
}

// hostPort accepts host:port.
func hostPort(v string) string {
	host, number, err := net.SplitHostPort(v)
	if err != nil || host == "" || net.ParseIP(host) == nil && hostHeader(host) != "" {
		return fmt.Sprintf("%s is not host:port. Write for example \"127.0.0.1:9000\".", quoted(v))
	}
	return port(number)
}

func port(v string) string {
	if n, err := strconv.ParseUint(v, 10, 16); err != nil || n == 0 {
		return fmt.Sprintf("%s is no port. Ports are 1 to 65535.", quoted(v))
	}
	return ""
}

// listenAddress accepts what can be listened on; an empty host is all of them.
func listenAddress(v string) string {
	if file, ok := strings.CutPrefix(v, "unix://"); ok {
		return absoluteFile(file)
	}
	if number, ok := strings.CutPrefix(v, ":"); ok {
		return port(number)
	}
	if problem := hostPort(v); problem != "" {
		return fmt.Sprintf("%s can't be listened on. Write host:port, or unix:// and an absolute path.", quoted(v))
	}
	return ""
}

// consulAddress accepts what Consul's client takes: host:port with or without
// a scheme, or a unix socket.
func consulAddress(v string) string {
	if file, ok := strings.CutPrefix(v, "unix://"); ok {
		return absoluteFile(file)
	}
	if strings.Contains(v, "://") {
		if u, err := url.Parse(v); err == nil && u.User != nil {
			return "The URL holds a user or password. Set CONSUL_HTTP_AUTH in the environment instead."
		}
		return webURL(v, "https://consul.example.com:8501")
	}
	if hostHeader(v) == "" {
		return ""
	}
	return fmt.Sprintf("%s is no address of Consul. Write host:port, a URL, or unix:// and an absolute path.", quoted(v))
}

// haproxySocket accepts where HAProxy listens for commands.
func haproxySocket(v string) string {
	switch {
	case strings.HasPrefix(v, "unix@") || strings.HasPrefix(v, "unix://"):
		return fmt.Sprintf("%q has a prefix. Write the path of the socket alone, as in \"/run/haproxy/admin.sock\".", v)
	case filepath.IsAbs(v):
		return absoluteFile(v)
	case hostPort(v) == "":
		return ""
	}
	return fmt.Sprintf("%q is neither the absolute path of a unix socket nor host:port. Write what HAProxy's \"stats socket\" says: \"/run/haproxy/admin.sock\".", v)
}
