package responder

import (
	"strings"
	"testing"
)

// A URL with a password is refused, and the password is in no message.
func TestPasswordsAreNotShown(t *testing.T) {
	client := New(Config{})
	defer client.Close()
	for _, url := range []string{"http://user:geheim@ocsp.example.com/", "http://user:geheim@ocsp.example.com/%zz", "ftp://user:geheim@y"} {
		_, err := client.Exchange(t.Context(), Request{URL: url, OCSP: []byte{0x30, 0}})
		if ReasonOf(err) != BadURL {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if text := err.Error(); strings.Contains(text, "geheim") || !strings.Contains(text, "@") {
			t.Errorf("%s: %s", url, text)
		}
	}
}
