package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// keyFlag adds -key, for the kind of a new key.
func keyFlag(c *command) *string {
	return c.flags.String("key", string(testca.ECDSA), "`kind` of key: ecdsa, ecdsa384, ecdsa521, rsa or ed25519")
}

func isKeyType(k testca.KeyType) bool {
	return k == testca.ECDSA || k == testca.ECDSA384 || k == testca.ECDSA521 || k == testca.RSA || k == testca.Ed25519
}

// daysFlag adds -days, the life of a new certificate.
func daysFlag(c *command) *int {
	return c.flags.Int("days", 90, "`days` until the certificate ends; never later than its CA")
}

func areDays(n int) bool { return n >= 1 && n <= 36500 }

func endIn(days int, ca *testca.CA) time.Time {
	end := time.Now().AddDate(0, 0, days)
	if last := ca.Certificate().NotAfter; end.After(last) {
		return last
	}
	return end
}

// openFlag adds -key-pass, and gives how to open a CA with it.
func openFlag(c *command) func(dir string) (*testca.CA, error) {
	password := passwordFlag(c, "key-pass", "`source` of the password of the CA's key: env:NAME, file:PATH or pass:TEXT")
	return func(dir string) (*testca.CA, error) {
		secret, err := password()
		if err != nil {
			return nil, err
		}
		return testca.OpenWithPassword(dir, secret)
	}
}

// passwordVariable holds the password where no flag says another.
const passwordVariable = "CONSUL_OCSP_TESTCA_PASS"

// maxPassword bounds what is read of a password's file.
const maxPassword = 4096

// passwordFlag adds a flag that says where a password is, in openssl's words, and
// gives how to read it: none if there is no flag and no variable.
func passwordFlag(c *command, name, usage string) func() ([]byte, error) {
	source := c.flags.String(name, "", usage+" (default env:"+passwordVariable+" where it is set)")
	return func() ([]byte, error) {
		if *source == "" {
			value, _ := c.lookup(passwordVariable)
			return []byte(value), nil
		}
		password, err := readPassword(c, *source)
		if err == nil && len(password) == 0 {
			err = errors.New("the password is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("-%s: %w", name, err)
		}
		return password, nil
	}
}

func readPassword(c *command, source string) ([]byte, error) {
	form, rest, _ := strings.Cut(source, ":")
	switch form {
	case "pass":
		return []byte(rest), nil
	case "env":
		value, ok := c.lookup(rest)
		if !ok {
			return nil, fmt.Errorf("environment variable %q is not set", rest)
		}
		return []byte(value), nil
	case "file":
		f, err := os.Open(rest)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxPassword))
		if err != nil {
			return nil, err
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		return bytes.TrimSuffix(line, []byte("\r")), nil
	}
	// What it is may be a password itself: it is not repeated.
	return nil, errors.New("want env:NAME, file:PATH or pass:TEXT")
}
