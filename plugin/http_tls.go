package plugin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// serverFiles are the files of http { tls }. They are read at the start and when
// the agent is told to reload. Ones that can't be read or don't fit together
// are complained of, and those before go on.
type serverFiles struct {
	files  hclconfig.ServerTLS
	logger hclog.Logger
	now    atomic.Pointer[tls.Config] // nil: none could be read yet
}

func newServerFiles(files hclconfig.ServerTLS, logger hclog.Logger) *serverFiles {
	s := &serverFiles{files: files, logger: logger}
	s.reload()
	return s
}

// follow reads the files again when told, until ctx ends.
func (s *serverFiles) follow(ctx context.Context, again <-chan struct{}) {
	for {
		select {
		case <-again:
			s.reload()
		case <-ctx.Done():
			return
		}
	}
}

func (s *serverFiles) reload() {
	config, err := serverTLS(s.files)
	switch {
	case err == nil:
		s.now.Store(config)
	case s.now.Load() == nil:
		s.logger.Error("nobody can connect: the files of tls can't be used; mend them and reload", "error", err)
	default:
		s.logger.Error("the files of tls can't be used, those before go on", "error", err)
	}
}

// config is for a listener: each connection gets what is newest.
func (s *serverFiles) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			if config := s.now.Load(); config != nil {
				return config, nil
			}
			return nil, errors.New("no certificate to serve with")
		},
	}
}

func serverTLS(files hclconfig.ServerTLS) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("http: tls: cert_file %s with key_file %s: %w", files.CertFile, files.KeyFile, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	if files.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(files.CAFile)
	if err != nil {
		return nil, fmt.Errorf("http: tls: ca_file: %w", err)
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("http: tls: ca_file %s holds no certificate", files.CAFile)
	}
	return config, nil
}
