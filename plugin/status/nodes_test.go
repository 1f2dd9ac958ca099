package status

import "testing"

// A record's page becomes a link: nothing but the address of a page does.
func TestPageURL(t *testing.T) {
	for given, want := range map[string]bool{
		"http://10.0.0.1:8509/": true, "https://node1.example.com/": true, "http://[fd00::1]:8509/": true,
		"": false, "javascript:alert(1)": false, "//evil.example/": false, "http://": false, "http:///": false, "ftp://a.example/": false,
		"http://user:pass@a.example/": false, "http://a.example/path": false, "http://a.example": false, "http://a.example/?q": false, "http://a.example/#x": false,
		"http://a.example/\u202e": false, "http://a.example\n/": false,
	} {
		if got := pageURL(given); (got == given) != want && given != "" || got != "" && !want {
			t.Errorf("%q: %q", given, got)
		}
	}
}
