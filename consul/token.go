package consul

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// maxToken is far above the 36 characters of a token.
const maxToken = 4 << 10

// token is the ACL token in use. One from a file is read again when Consul
// refuses it. All methods are safe for concurrent use.
type token struct {
	file string

	mu    sync.Mutex
	value string
}

// newToken reads the file if there is one: it wins over value, as it does in
// Consul's own commands.
func newToken(value, file string) (*token, error) {
	t := &token{file: file, value: value}
	if file == "" {
		return t, nil
	}
	_, err := t.reload()
	return t, err
}

func (t *token) get() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.value
}

// reload reads the file again and reports whether the token is another now. An
// error leaves the token as it was; it never holds what the file holds.
func (t *token) reload() (changed bool, err error) {
	if t.file == "" {
		return false, nil
	}
	f, err := os.Open(t.file)
	if err != nil {
		return false, fmt.Errorf("token_file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return false, fmt.Errorf("token_file: %w", err)
	}
	value := strings.TrimSpace(string(b))
	if value == "" || len(b) > maxToken || strings.ContainsAny(value, " \t\r\n\x00") {
		return false, fmt.Errorf("token_file %s: not one token", t.file)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	changed = value != t.value
	t.value = value
	return changed, nil
}
