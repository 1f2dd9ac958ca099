package consultest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-uuid"
)

// An Option changes what Start starts.
type Option func(*options)

type options struct {
	acl   bool
	extra []string
}

// WithACL turns access control on, with everything denied that a token doesn't grant. Token then returns a management
// token, and CreateToken makes lesser ones.
func WithACL() Option {
	return func(o *options) { o.acl = true }
}

// WithConfig adds agent configuration in HCL, read after the server's own: it wins.
func WithConfig(hcl string) Option {
	return func(o *options) { o.extra = append(o.extra, hcl) }
}

// newToken makes the management token, or none without access control.
func (o options) newToken() (string, error) {
	if !o.acl {
		return "", nil
	}
	return uuid.GenerateUUID()
}

type object = map[string]any

// writeConfig puts the server's configuration into a new folder. Consul reads its files in lexical order.
func (s *Server) writeConfig(o options) error {
	config := object{
		"server":           true,
		"bootstrap_expect": 1,
		"node_name":        s.node,
		"data_dir":         filepath.Join(s.folder, "data"),
		"bind_addr":        "127.0.0.1",
		"advertise_addr":   "127.0.0.1",
		"client_addr":      "127.0.0.1",
		"ports": object{
			"http": s.ports.http, "server": s.ports.server, "serf_lan": s.ports.serf,
			"serf_wan": -1, "https": -1, "dns": -1, "grpc": -1, "grpc_tls": -1,
		},
		"performance":          object{"raft_multiplier": 1},
		"connect":              object{"enabled": false},
		"peering":              object{"enabled": false},
		"disable_update_check": true,
		"log_level":            "info",
	}
	if s.token != "" {
		config["acl"] = object{
			"enabled":        true,
			"default_policy": "deny",
			// The agent registers its own node with the second.
			"tokens": object{"initial_management": s.token, "agent": s.token},
		}
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	folder := s.configFolder()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "0.json"), text, 0o600); err != nil {
		return err
	}
	for i, hcl := range o.extra {
		name := filepath.Join(folder, fmt.Sprintf("1-%02d.hcl", i))
		if err := os.WriteFile(name, []byte(hcl), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) configFolder() string { return filepath.Join(s.folder, "config") }
