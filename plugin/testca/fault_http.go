package testca

import (
	"net/http"
	"strings"

	"golang.org/x/crypto/ocsp"
)

// httpFaults are those of statuses, redirects and methods.
func httpFaults() []fault {
	one := func(name, does string, change func(*exchange)) fault {
		return fault{Fault: Fault{Name: name, Group: "transport", Does: does}, change: func(x *exchange) error {
			change(x)
			return nil
		}}
	}
	return []fault{
		one("404", "says 404 with a page of HTML", plain(http.StatusNotFound)),
		one("500", "says 500 with a page of HTML", plain(http.StatusInternalServerError)),
		one("429", "says 429 with Retry-After: 120", busy(http.StatusTooManyRequests)),
		one("503", "says 503 with Retry-After: 120", busy(http.StatusServiceUnavailable)),
		one("proxy-error", "says 502 with the page of a proxy that does not reach its server", proxyError),
		one("401-unauthorized", "says 401, its body the OCSP status unauthorized", func(x *exchange) {
			x.page = errorPage(ocsp.Unauthorized)
			x.page.status = http.StatusUnauthorized
		}),
		one("500-good", "says 500, its body the right answer", func(x *exchange) { x.page.status = http.StatusInternalServerError }),
		one("redirect", "redirects to another path, where the right answer is", redirectOnce),
		one("redirect-loop", "redirects to itself", func(x *exchange) { redirect(x, x.req.URL.EscapedPath()) }),
		one("redirect-other", "says 303 (See Other) and leads to an ldap URL", func(x *exchange) {
			redirect(x, "ldap://ocsp.example.com/")
			x.page.status = http.StatusSeeOther
		}),
		one("redirect-metadata", "redirects to the metadata service of clouds, 169.254.169.254", func(x *exchange) {
			redirect(x, "http://169.254.169.254/latest/meta-data/")
		}),
		one("get-only", "takes GET, and says 405 to POST", only(http.MethodGet)),
		one("post-only", "takes POST, and says 405 to GET", only(http.MethodPost)),
		one("get-mangled", "has a proxy before it that spoils '+', '/' and '=' in what GET asks", mangled),
	}
}

func plain(status int) func(*exchange) {
	return func(x *exchange) {
		x.page = textPage(status, "text/html; charset=utf-8", "<!DOCTYPE html><title>"+http.StatusText(status)+"</title>\n")
	}
}

func busy(status int) func(*exchange) {
	return func(x *exchange) {
		plain(status)(x)
		x.page.header.Set("Retry-After", "120")
	}
}

func proxyError(x *exchange) {
	plain(http.StatusBadGateway)(x)
	x.page.header.Set("Via", "1.1 proxy.example")
	x.page.header.Set("X-Cache", "MISS from proxy.example")
}

// moved is where redirectOnce leads to; the request comes behind it.
const moved = "/moved"

func redirectOnce(x *exchange) {
	if path := x.req.URL.EscapedPath(); !strings.HasPrefix(path, moved+"/") {
		redirect(x, moved+"/"+strings.TrimLeft(path, "/"))
	}
}

// redirect asks for the same method at another place.
func redirect(x *exchange, to string) {
	x.page = textPage(http.StatusTemporaryRedirect, "text/html", "")
	x.page.header.Set("Location", to)
}

func only(method string) func(*exchange) {
	return func(x *exchange) {
		if x.req.Method != method {
			plain(http.StatusMethodNotAllowed)(x)
			x.page.header.Set("Allow", method)
		}
	}
}

// mangled answers as a responder does that cannot read the request.
func mangled(x *exchange) {
	if x.req.Method != http.MethodGet {
		return
	}
	path := strings.TrimLeft(x.req.URL.EscapedPath(), "/")
	if strings.ContainsAny(path, "+/=%") {
		x.page = errorPage(ocsp.Malformed)
	}
}
