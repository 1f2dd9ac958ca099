package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The examples of servers other than HAProxy work word by word, as
// TestClusterExample has it: each shows a good staple, then what the
// server can show of a revocation.
func TestServerExamples(t *testing.T) {
	t.Parallel()
	for server, says := range map[string][]string{
		"nginx": {
			`edge/www.example.test  stapled  good until 20.*Z`, `stapled and verified: good\n`,
			`www.example.test is revoked\n`, `Cert Status: revoked\n`,
		},
		"lighttpd": {
			`stapled and verified: good\n`, `output=.*: www.example.test is good"\n`, `www.example.test is revoked\n`, `Cert Status: revoked\n`,
		},
		"hitch": {
			`stapled and verified: good\n`, `www.example.test is revoked\n`, `no response sent\n`,
			`output="www.example.test is revoked and has no staple any more"\n`,
		},
	} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(server); err != nil {
				t.Fatalf("%s is not installed: run testdata/tools/install", server)
			}
			dir := copyExample(t, filepath.Join("..", "..", "examples", server), "8888", "8443", "8080")
			out := runExample(t, dir, shellBlocks(readText(t, filepath.Join(dir, "README.md"))))
			rest := out
			for _, want := range says {
				at := regexp.MustCompile(want).FindStringIndex(rest)
				if at == nil {
					t.Fatalf("nothing in the rest of its output fits %s:\n%s", want, out)
				}
				rest = rest[at[1]:]
			}
			if _, err := os.Stat(filepath.Join(dir, "run")); !os.IsNotExist(err) {
				t.Errorf("it leaves its folder behind: %v", err)
			}
		})
	}
}

// What the script for Envoy writes holds the response, byte for byte.
func TestEnvoyExampleWritesTheSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	response := []byte{0x30, 0, '\n', 0xff, 0, 0}
	cmd := exec.Command(filepath.Join("..", "..", "examples", "envoy", "staple.sh"))
	cmd.Stdin = bytes.NewReader(response)
	cmd.Env = append(os.Environ(), "ENVOY_SECRETS="+dir, "CONSUL_OCSP_NAME=www", "CONSUL_OCSP_CERT=/certs/www.pem")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var secret struct {
		Resources []struct {
			Name string
			TLS  map[string]map[string]string `json:"tls_certificate"`
		}
	}
	if err := json.Unmarshal([]byte(readText(t, filepath.Join(dir, "www.json"))), &secret); err != nil || len(secret.Resources) != 1 {
		t.Fatalf("%v: %+v", err, secret)
	}
	r := secret.Resources[0]
	if got, err := base64.StdEncoding.DecodeString(r.TLS["ocsp_staple"]["inline_bytes"]); err != nil || !bytes.Equal(got, response) {
		t.Errorf("response %x, %v", got, err)
	}
	if r.Name != "www" || r.TLS["certificate_chain"]["filename"] != "/certs/www.pem" || r.TLS["private_key"]["filename"] != "/certs/www.key" {
		t.Errorf("%+v", r)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
}
