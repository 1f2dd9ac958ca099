package testca

import (
	"fmt"
	"net"
	"strings"
)

// maxName is the upper bound of a common name (RFC 5280, appendix A.1).
const maxName = 64

// checkName accepts what may stand in a certificate as DNS name or IP address,
// and so becomes a file name: letters, digits, hyphens, underscores and single
// dots between them, with `*` as the first label at most; or an IP address.
func checkName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("name %q: longer than %d characters", name, maxName)
	}
	if net.ParseIP(name) != nil {
		return nil
	}
	for i, label := range strings.Split(name, ".") {
		switch {
		case label == "":
			return fmt.Errorf("name %q: an empty label, or a dot too many", name)
		case len(label) > 63:
			return fmt.Errorf("name %q: a label longer than 63 characters", name)
		case label == "*" && i == 0 && strings.Contains(name, "."):
			continue
		case label == "_", strings.Trim(label, labelCharacters) != "":
			return fmt.Errorf("name %q: label %q is not allowed in a host name", name, label)
		}
	}
	return nil
}

const labelCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// fileName maps a checked name to the file of its certificate. No two names
// share a file, and none has the CA's.
func fileName(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if strings.EqualFold(name, "ca") {
		return "", fmt.Errorf("name %q: its file would be the CA's own", name)
	}
	if strings.HasPrefix(name, "*.") {
		name = "_" + name[1:]
	}
	return strings.ReplaceAll(name, ":", "_") + ".pem", nil
}
