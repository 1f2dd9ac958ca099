package hclconfig

import (
	"strings"
	"testing"
)

func TestMatchHost(t *testing.T) {
	for _, test := range []struct {
		pattern, host string
		want          bool
	}{
		{"ocsp.example.com", "OCSP.example.com", true},
		{"ocsp.example.com", "ocsp.example.com.", true},
		{"ocsp.example.com", "ocsp.example.org", false},
		{"*.example.com", "r1.o.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", "example.com.evil.org", false},
		{"10.1.2.*", "10.1.2.3", true},
		{"2001:db8::1", "[2001:db8:0::1]", true},
		{"*", "anything", true},
	} {
		if got := MatchHost(test.pattern, test.host); got != test.want {
			t.Errorf("MatchHost(%q, %q) = %v", test.pattern, test.host, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		name        string
		check       check
		fine, wrong []string
	}{
		{"responder", responderURL,
			[]string{"http://ocsp.example.com", "https://[2001:db8::1]:8443/r?x=1", "HTTP://10.0.0.1/"},
			[]string{"", "ocsp.example.com", "http:", "http:ocsp", "http://", "http://a b/", "http://x/\n", "http://x/#y", "http://x:0/", "http://u:p@x/", "file:///etc/passwd"}},
		{"consul", consulAddress,
			[]string{"127.0.0.1:8500", "consul.service", "https://consul:8501", "unix:///run/consul.sock", "[::1]:8500"},
			[]string{"", "a b", "unix://run/consul.sock", "ftp://consul", "http://u:p@consul:8500", "u:p@consul:8500"}},
		{"haproxy", haproxySocket,
			[]string{"/run/haproxy.sock", "127.0.0.1:9999", "[::1]:9999", "localhost:9999"},
			[]string{"", "haproxy.sock", "unix@/run/h", ":9999", "localhost", "localhost:http", "/run/", "/run/a\nb"}},
		{"listener", listenAddress,
			[]string{":8509", "0.0.0.0:8509", "unix:///run/x.sock"},
			[]string{"", "8509", ":0", "unix://x", "unix:///run/"}},
		{"pattern", hostPattern,
			[]string{"*", "*.example.com", "10.0.0.*", "2001:db8::1"},
			[]string{"", "http://x", "x:80", "a b", "[a-z].example.com", "x/y"}},
		{"host", hostHeader,
			[]string{"ocsp.example.com", "ocsp.example.com:8080", "[::1]:80"},
			[]string{"", "a\r\nb", "a b", "a/b", "a:b"}},
		{"keys", keyPath,
			[]string{"consul-ocsp/", "consul-ocsp", "a/b/c/"},
			[]string{"", "/", "/a", "a//b", "a//", "../a", "a/./b", "a b/", strings.Repeat("a", 91)}},
		{"label", isLabel,
			[]string{"edge", "a.b_c-1", "..."},
			[]string{"", ".", "..", "a/b", "ä", "a b", strings.Repeat("a", 201)}},
		{"template", fileTemplate,
			[]string{"/etc/nginx/{name}.ocsp", "/x/{id}"},
			[]string{"", "{name}", "/x", "/x/{job}", "/x/{name", "/x/{name}}"}},
	} {
		for _, v := range test.fine {
			if problem := test.check(v); problem != "" {
				t.Errorf("%s refuses %q: %s", test.name, v, problem)
			}
		}
		for _, v := range test.wrong {
			if test.check(v) == "" {
				t.Errorf("%s accepts %q", test.name, v)
			}
		}
	}
}
