package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// devHAProxy is the HAProxy of agent -dev.
type devHAProxy struct {
	address, socket string
	cmd             *exec.Cmd
	done            chan struct{}
}

// devProxy is its configuration: TLS on one port, and the runtime API.
const devProxy = `global
    stats socket %s level admin mode 600
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend tls
    bind %s ssl %s
    http-request return status 200 content-type text/plain string "stapled by consul-ocsp\n"
`

// devHAProxyPatience is how long HAProxy may take to listen.
const devHAProxyPatience = 10 * time.Second

// startDevHAProxy runs HAProxy on a free port with these certificates.
func startDevHAProxy(path, dir string, issued []*testca.Issued) (*devHAProxy, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	h := &devHAProxy{address: address, socket: filepath.Join(dir, "haproxy.sock"), done: make(chan struct{})}
	var certs []string
	for _, i := range issued {
		certs = append(certs, "crt "+i.Path)
	}
	config := filepath.Join(dir, "haproxy.cfg")
	text := fmt.Sprintf(devProxy, h.socket, address, strings.Join(certs, " "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	var log bytes.Buffer
	h.cmd = exec.Command(path, "-db", "-f", config)
	h.cmd.Stdout, h.cmd.Stderr = &log, &log
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the agent, which stops it
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which stop kills
		_ = h.cmd.Wait()
		close(h.done)
	}()
	deadline := time.After(devHAProxyPatience)
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			return h, conn.Close()
		}
		select {
		case <-h.done:
			return nil, fmt.Errorf("%s does not start: %s", path, strings.TrimSpace(log.String()))
		case <-deadline:
			h.stop()
			return nil, fmt.Errorf("%s does not listen on %s", path, address)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (h *devHAProxy) stop() {
	if h == nil {
		return
	}
	_ = h.cmd.Process.Kill()
	<-h.done
}

// freeAddress is a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// indented is text with each line moved to the right.
func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
