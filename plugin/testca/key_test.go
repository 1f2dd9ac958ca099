package testca

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

func secret() []byte { return []byte("a secret of ours, ü") }

func TestEncryptedCA(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{Password: secret()})
	text, err := os.ReadFile(filepath.Join(c.Dir(), "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")) {
		t.Errorf("ca.key begins %.40q", text)
	}
	_, err = Open(c.Dir())
	wantError(t, err, "ca.key", "encrypted, and no password")
	_, err = OpenWithPassword(c.Dir(), []byte("another"))
	wantError(t, err, "ca.key", "password is wrong")
	again, err := OpenWithPassword(c.Dir(), secret())
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, again, IssueOptions{}, "www.example.com")
	if text, err = os.ReadFile(leaf.Path); err != nil || bytes.Contains(text, []byte("ENCRYPTED")) {
		t.Errorf("the key of a certificate is encrypted, HAProxy would ask for a password: %v", err)
	}
	delegate, err := again.Delegate(IssueOptions{Key: RSA})
	if err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(delegate.Path); err != nil || !bytes.Contains(text, []byte("BEGIN ENCRYPTED PRIVATE KEY")) {
		t.Errorf("the delegate's key is not encrypted: %v", err)
	}
	if _, _, err := again.OpenDelegate(); err != nil {
		t.Error(err)
	}
	// A password where none is needed does no harm.
	if _, err := OpenWithPassword(newCA(t, InitOptions{}).Dir(), secret()); err != nil {
		t.Error(err)
	}
}

// TestOpensslReadsAndWritesEncryptedKeys goes both ways.
func TestOpensslReadsAndWritesEncryptedKeys(t *testing.T) {
	t.Parallel()
	pass := "pass:" + string(secret())
	for _, key := range []KeyType{ECDSA, RSA, Ed25519} {
		c := newCA(t, InitOptions{Key: key, Password: secret()})
		leaf := issue(t, c, IssueOptions{}, "www.example.com").Leaf
		wantLines(t, openssl(t, c.Dir(), "pkey", "-in", "ca.key", "-passin", pass, "-noout", "-text"), "Private-Key")
		// openssl signs with our key, and its answer is good.
		openssl(t, c.Dir(), "ocsp", "-issuer", "ca.pem", "-serial", "0x"+formatSerial(leaf.SerialNumber), "-no_nonce", "-reqout", "request.der")
		openssl(t, c.Dir(), "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key", "-passin", pass,
			"-reqin", "request.der", "-respout", "answer.der", "-nmin", "60")
		wantLines(t, openssl(t, c.Dir(), "ocsp", "-respin", "answer.der", "-issuer", "ca.pem", "-serial", "0x"+formatSerial(leaf.SerialNumber), "-CAfile", "ca.pem", "-no_nonce"),
			"Response verify OK", ": good")
	}
	for name, args := range map[string][]string{
		"as it is":    nil,
		"aes-128":     {"-v2", "aes-128-cbc"},
		"aes-192":     {"-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512"},
		"3des, sha-1": {"-v2", "des3", "-v2prf", "hmacWithSHA1", "-iter", "1000"},
		"sha-384":     {"-v2prf", "hmacWithSHA384"},
		"sha-224":     {"-v2prf", "hmacWithSHA224"},
		"scrypt":      {"-scrypt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCA(t, InitOptions{})
			openssl(t, c.Dir(), append([]string{"pkcs8", "-topk8", "-in", "ca.key", "-out", "theirs.key", "-passout", pass}, args...)...)
			if err := os.Rename(filepath.Join(c.Dir(), "theirs.key"), filepath.Join(c.Dir(), "ca.key")); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenWithPassword(c.Dir(), secret()); err != nil {
				t.Error(err)
			}
			_, err := OpenWithPassword(c.Dir(), []byte("another"))
			wantError(t, err, "password is wrong")
		})
	}
	c := newCA(t, InitOptions{})
	openssl(t, c.Dir(), "ec", "-in", "ca.key", "-aes128", "-passout", pass, "-out", "ca.key")
	_, err := OpenWithPassword(c.Dir(), secret())
	wantError(t, err, "openssl pkcs8 -topk8")
}

// TestDamagedKeys cuts an encrypted key at each place, and asks for too much.
func TestDamagedKeys(t *testing.T) {
	t.Parallel()
	key, err := newKey(ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	text, err := encodeKey(key, secret())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	for n := range block.Bytes {
		if _, err := decrypt(block.Bytes[:n], secret()); err == nil {
			t.Fatalf("accepted after %d bytes", n)
		}
	}
	// INTEGER 100,000 becomes 8,388,607.
	greedy := bytes.Replace(block.Bytes, []byte{2, 3, 0x01, 0x86, 0xa0}, []byte{2, 3, 0x7f, 0xff, 0xff}, 1)
	_, err = decrypt(greedy, secret())
	wantError(t, err, "8388607 iterations")
}

func FuzzDecodeKey(f *testing.F) {
	key, err := newKey(Ed25519)
	if err != nil {
		f.Fatal(err)
	}
	for _, password := range [][]byte{nil, secret()} {
		text, err := encodeKey(key, password)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := decodeKey(text, secret()); err == nil && key == nil {
			t.Error("neither a key nor an error")
		}
	})
}
