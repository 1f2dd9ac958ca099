package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/handshake"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// devPatience is how long the first staple of agent -dev may take.
const devPatience = 30 * time.Second

// devNames are the certificates of agent -dev; the second one is must-staple.
var devNames = []string{"www.example.test", "shop.example.test"}

// dev is the world that agent -dev makes for itself.
type dev struct {
	c       *command
	dir     string
	ca      *testca.CA
	address string // of the responder
	page    string // the address of the agent's page
	issued  []*testca.Issued
	haproxy *devHAProxy // nil where there is none on PATH
}

// runDev runs an agent on a CA, certificates and a responder of its own, until
// a signal stops it; then it removes everything.
func runDev(c *command, f *configured) int {
	if len(f.paths) > 0 {
		return c.wrongUsage("-dev makes its own job file")
	}
	ctx, stop := c.interrupted()
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "consul-ocsp-dev-")
	if err != nil {
		return c.failed(err)
	}
	defer os.RemoveAll(dir)
	d := &dev{c: c, dir: dir}
	wait, err := d.serve(ctx)
	if err != nil {
		return c.failed(err)
	}
	defer wait()
	defer cancel() // before the wait for what ends with ctx
	if err := d.startHAProxy(); err != nil {
		return c.failed(err)
	}
	defer d.haproxy.stop()
	if err := d.run(ctx, f); err != nil {
		return c.failed(err)
	}
	return exitOK
}

// serve makes the CA and its certificates, and starts the responder; wait is
// for after the end of ctx.
func (d *dev) serve(ctx context.Context) (wait func(), err error) {
	if d.ca, err = testca.Init(filepath.Join(d.dir, "ca"), testca.InitOptions{}); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.address = "http://" + listener.Addr().String()
	certs := filepath.Join(d.dir, "certs")
	if err := os.Mkdir(certs, 0o700); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	for i, name := range devNames {
		issued, err := d.ca.Issue([]string{name}, testca.IssueOptions{
			Responders: []string{d.address}, MustStaple: i > 0, File: filepath.Join(certs, name+".pem"),
		})
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		d.issued = append(d.issued, issued)
	}
	done := make(chan error, 1)
	go func() { done <- d.ca.Serve(ctx, listener, testca.ResponderOptions{}) }() // ends with ctx
	return func() { <-done }, nil
}

// devJob is the job file of agent -dev, as a user could write it.
const devJob = `data_dir = %q
lock_dir = %q

http {
  address = %q
}

job "dev" {
  certificates {
    paths = [%q]
  }
%s}
`

func (d *dev) run(ctx context.Context, f *configured) error {
	path := filepath.Join(d.dir, "dev.hcl")
	deliver := ""
	if d.haproxy != nil {
		deliver = fmt.Sprintf("  connect = %q\n  deliver \"haproxy\" {\n    socket = %q\n  }\n", d.haproxy.address, d.haproxy.socket)
	}
	var err error
	if d.page, err = freeAddress(); err != nil {
		return err
	}
	text := fmt.Sprintf(devJob, filepath.Join(d.dir, "data"), filepath.Join(d.dir, "lock"), d.page, filepath.Join(d.dir, "certs"), deliver)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	f.paths = list{path}
	cfg, err := f.read(d.c.environment)
	if err != nil {
		return err
	}
	logger, err := newLogger(d.c.environment, cfg)
	if err != nil {
		return err
	}
	defer logger.close()
	agent, err := plugin.New(cfg, plugin.Options{Version: version, Logger: logger})
	if err != nil {
		return err
	}
	d.introduce(path, text)
	return d.untilStopped(ctx, agent, cfg, logger)
}

// untilStopped runs the agent, and shows the staples as soon as they are there.
func (d *dev) untilStopped(ctx context.Context, agent *plugin.Agent, cfg *hclconfig.Config, logger hclog.Logger) error {
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx) }() // ends with ctx
	shown := make(chan error, 1)
	go func() { shown <- d.show(ctx) }() // ends with ctx, or when it has shown
	for {
		select {
		case err := <-done:
			return err
		case err := <-shown:
			if err != nil && ctx.Err() == nil {
				logger.Error("no staple yet", "error", err)
			}
			shown = nil
		}
	}
}

// introduce says what there is.
func (d *dev) introduce(path, text string) {
	out := d.c.stdout
	fmt.Fprintf(out, "A rehearsal, with everything in %s; it is removed at the end.\n\n", d.dir)
	fmt.Fprintf(out, "  CA            %s\n  responder     %s\n  certificates  %s\n                %s (must-staple)\n  job file      %s\n",
		filepath.Join(d.dir, "ca"), d.address, d.issued[0].Path, d.issued[1].Path, path)
	switch {
	case d.haproxy != nil:
		fmt.Fprintf(out, "  HAProxy       %s, runtime API %s\n", d.haproxy.address, d.haproxy.socket)
	default:
		fmt.Fprintf(out, "  HAProxy       not on PATH: staples are written to files only; install it to see a stapled handshake\n")
	}
	fmt.Fprintf(out, "  page          http://%s/\n", d.page)
	fmt.Fprintf(out, "\nThe job file:\n\n%s\n", indented(text))
}

// show waits for the staples and prints them, and a handshake with HAProxy.
func (d *dev) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, devPatience)
	defer cancel()
	for _, i := range d.issued {
		facts, err := d.await(ctx, i)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.c.stdout, "%s is %s from %s to %s: %s.ocsp\n", i.Name, facts.Status,
			facts.ThisUpdate.UTC().Format(time.RFC3339), facts.NextUpdate.UTC().Format(time.RFC3339), i.Path)
	}
	if d.haproxy != nil {
		for _, i := range d.issued {
			if err := d.shake(ctx, i.Name); err != nil {
				return err
			}
		}
	}
	self, err := os.Executable()
	if err != nil {
		self = "consul-ocsp"
	}
	fmt.Fprintf(d.c.stdout, `
Try, from another terminal:

  %[1]s status -config-file=%[2]s/dev.hcl
  %[1]s inspect %[3]s.ocsp
  %[1]s testca revoke %[2]s/ca %[4]s && %[1]s fetch -force -config-file=%[2]s/dev.hcl
`, self, d.dir, d.issued[0].Path, d.issued[0].Name)
	if d.haproxy != nil {
		fmt.Fprintf(d.c.stdout, "  %s verify -servername %s -ca-file %s/ca/ca.pem %s\n", self, d.issued[0].Name, d.dir, d.haproxy.address)
	}
	fmt.Fprintln(d.c.stdout, "\nStop with Ctrl-C.")
	return nil
}

// await waits for the file of a staple that verifies.
func (d *dev) await(ctx context.Context, i *testca.Issued) (*staple.Facts, error) {
	for {
		der, err := os.ReadFile(i.Path + ".ocsp")
		if err == nil {
			return staple.Verify(der, i.Leaf, d.ca.Certificate(), staple.Options{Now: time.Now()})
		}
		if err := pause(ctx); err != nil {
			return nil, fmt.Errorf("%s.ocsp was not written: %w", i.Path, err)
		}
	}
}

// shake waits until a client of HAProxy gets a staple, and prints it.
func (d *dev) shake(ctx context.Context, name string) error {
	for {
		result, err := handshake.Connect(ctx, handshake.Options{Address: d.haproxy.address, ServerName: name, Issuer: d.ca.Certificate()})
		if err == nil && result.Facts != nil {
			fmt.Fprintf(d.c.stdout, "handshake with %s for %s: %s, stapled response is %s, signature verified\n",
				d.haproxy.address, name, result.Version, result.Facts.Status)
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("HAProxy at %s staples nothing for %s", d.haproxy.address, name)
		}
	}
}

// pause waits a moment; the error is ctx's.
func pause(ctx context.Context) error {
	select {
	case <-time.After(100 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *dev) startHAProxy() error {
	path, err := exec.LookPath("haproxy")
	if err != nil {
		// Debian puts it where an ordinary user's PATH does not look.
		if path, err = exec.LookPath("/usr/sbin/haproxy"); err != nil {
			return nil
		}
	}
	d.haproxy, err = startDevHAProxy(path, d.dir, d.issued)
	return err
}
