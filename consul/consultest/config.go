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

	tls    object // of the HTTPS listener; nil: there is none
	socket string // where HTTP is spoken too; empty: nowhere

	token  string   // the management token, where several agents have one
	join   []string // where the servers of a cluster meet
	client bool

	datacenter string // empty: Consul's default, and no federation
	primary    string // of the federation
	federate   string // where a server of another datacenter listens; empty for the first one
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

// WithTLS adds a listener for HTTPS, at Server.TLSAddress, that refuses clients without a certificate of the CA. The files
// are PEM, and the server's certificate is the CA's too.
func WithTLS(ca, cert, key string) Option {
	return func(o *options) {
		o.tls = object{"ca_file": ca, "cert_file": cert, "key_file": key, "verify_incoming": true}
	}
}

// WithSocket has the server speak HTTP on a unix socket, too.
func WithSocket(path string) Option {
	return func(o *options) { o.socket = path }
}

// newToken makes the management token, or none without access control.
func (o options) newToken() (string, error) {
	if !o.acl || o.token != "" {
		return o.token, nil
	}
	return uuid.GenerateUUID()
}

type object = map[string]any

// writeConfig puts the server's configuration into a new folder. Consul reads its files in lexical order.
func (s *Server) writeConfig(o options) error {
	ports := s.at.ports
	config := object{
		"server":         !s.isClient,
		"node_name":      s.node,
		"data_dir":       s.dataFolder(),
		"bind_addr":      s.at.address,
		"advertise_addr": s.at.address,
		"client_addr":    s.at.address,
		"ports": object{
			"http": ports.http, "server": ports.server, "serf_lan": ports.serf,
			"serf_wan": -1, "https": -1, "dns": -1, "grpc": -1, "grpc_tls": -1,
		},
		"performance":          object{"raft_multiplier": 1},
		"connect":              object{"enabled": false},
		"peering":              object{"enabled": false},
		"disable_update_check": true,
		"log_level":            "info",
	}
	if !s.isClient {
		config["bootstrap_expect"] = max(1, len(s.join))
	}
	if o.tls != nil {
		config["tls"] = object{"https": o.tls}
		config["ports"].(object)["https"] = ports.https
	}
	if o.socket != "" {
		config["addresses"] = object{"http": s.at.address + " unix://" + o.socket}
	}
	if o.datacenter != "" {
		config["datacenter"], config["primary_datacenter"] = o.datacenter, o.primary
		config["advertise_addr_wan"] = s.at.address
		config["ports"].(object)["serf_wan"] = ports.wan
		if o.federate != "" {
			config["retry_join_wan"], config["retry_interval_wan"] = []string{o.federate}, "1s"
		}
	}
	if len(s.join) > 0 {
		config["retry_join"] = s.join
		config["retry_interval"] = "1s"
	}
	if s.token != "" {
		config["acl"] = object{
			"enabled":        true,
			"default_policy": "deny",
			// A secondary datacenter has its tokens and policies from the primary.
			"enable_token_replication": o.datacenter != "",
			// The agent registers its own node with the second.
			"tokens": object{"initial_management": s.token, "agent": s.token, "replication": s.token},
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

func (s *Server) dataFolder() string { return filepath.Join(s.folder, "data") }

func (s *Server) configFolder() string { return filepath.Join(s.folder, "config") }
