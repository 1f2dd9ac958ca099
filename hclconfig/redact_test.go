package hclconfig

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	for _, text := range []string{
		`token = "geheim"`,
		`  Token="geheim" # comment`,
		`"token" = "geheim"`,
		`consul_token : "geheim"`,
		`tokn = geheim`,
		`token "geheim" {}`,
		`consul { token = "geheim" }`,
		`token = "${env.NAME}geheim"`,
		`token = join("", ["geheim"])`,
		`password = 'geheim'`,
		"token = <<EOT\ngeheim\nEOT\n",
		"token = <<-EOT\r\n  geheim\r\n",
		`proxy = "http://user:geheim@proxy:3128"`,
		`proxy = "user:geheim@proxy:3128"`,
	} {
		got := string(redact([]byte(text)))
		if strings.Contains(got, "geheim") || len(got) != len(text) || strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{
		`token_file = "/etc/consul-ocsp.d/token"`,
		`token = env.CONSUL_HTTP_TOKEN`,
		`token = "${env.CONSUL_HTTP_TOKEN}"`,
		`responder = ["http://ocsp.example.com/"]`,
		"data_dir = <<EOT\n/srv\nEOT\n",
	} {
		if got := string(redact([]byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// Messages quote what was written; a password in it must not come with it.
func TestNoPasswordInMessages(t *testing.T) {
	for _, text := range []string{
		`fetch { proxy = "user:geheim@proxy server" }`,
		`fetch { proxy = "${env.PROXY}" }`,
		`fetch { responder = ["http://user:geheim@ocsp.example.com/"] }`,
		`consul { address = "user:geheim@consul server" }`,
		`consul { address = env.PROXY }`,
		`consul { token = "geheim${env.NONE}" }`,
		`consul { token = true ? env.TOKEN : nothing }`,
		`consul { token = [env.TOKEN] }`,
		`consul { token = "${env.TOKEN}x" + 1 }`,
		`consul { token = env.TOKEN.part }`,
		"consul { token = \"${env.TOKEN}\\n\" }",
		`on_event { webhook = "ftp://user:geheim@hooks/" }`,
	} {
		_, err := Parse([]File{{Name: "a.hcl", Source: []byte(text)}}, environ("PROXY", "user:geheim@x y", "TOKEN", "geheim"))
		d, ok := err.(*Diagnostics)
		if !ok {
			t.Errorf("accepted: %s", text)
			continue
		}
		written(t, d)
	}
}
