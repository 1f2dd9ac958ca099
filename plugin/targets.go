package plugin

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// targets are the targets of all deliver blocks. One whose block did not change
// stays the same over a reload of the configuration: its certificates are not
// delivered again, and its reloads stay paced.
type targets struct {
	logger hclog.Logger
	made   map[string]writer.Target
}

// byJob are the targets of each job's certificates. Targets of blocks that are
// gone are forgotten.
func (t *targets) byJob(cfg *hclconfig.Config) map[string][]writer.Target {
	kept := map[string]writer.Target{}
	jobs := map[string][]writer.Target{}
	add := func(job string, block any, create func() writer.Target) {
		key := fmt.Sprintf("%q %q %T%+v", job, cfg.LockDir, block, block)
		target, ok := t.made[key]
		if !ok {
			target = create()
		}
		kept[key] = target
		jobs[job] = append(jobs[job], target)
	}
	for _, job := range cfg.Jobs {
		for _, d := range job.HAProxy {
			d.Source = hclconfig.Source{}
			if d.Method != string(haproxy.MethodFile) { // there the file is all that is asked for
				add(job.Name, d, func() writer.Target { return newHAProxy(cfg.LockDir, d, t.logger) })
			}
		}
		for _, d := range job.Nginx {
			d.Source = hclconfig.Source{}
			add(job.Name, d, func() writer.Target {
				return writer.NewNginx(writer.NginxConfig{
					Name: targetName("nginx", d.Name), Reload: d.Reload, Test: d.Test, File: d.File,
					StateDir: filepath.Join(cfg.DataDir, "reload"), TrustedFolders: cfg.TrustedFolders, Logger: t.logger.Named("nginx"),
				})
			})
		}
		for _, d := range job.Exec {
			d.Source = hclconfig.Source{}
			add(job.Name, d, func() writer.Target {
				name := ""
				if d.Name != "" {
					name = targetName("exec", d.Name)
				}
				return writer.NewExec(name, d.Command, d.Timeout, t.logger.Named("exec"))
			})
		}
	}
	t.made = kept
	return jobs
}

func targetName(kind, name string) string {
	if name == "" {
		return kind
	}
	return kind + " " + name
}

// haproxyTarget hands staples to one HAProxy. It adds to the client what is a
// matter of the node: reloads at most every so often.
type haproxyTarget struct {
	name   string
	socket string
	client *haproxy.Client
	method haproxy.Method
	pace   time.Duration
	// remove: a revoked certificate is to be served without a staple.
	remove bool
	// discover: the certificates that it serves are this job's.
	discover bool

	mu       sync.Mutex
	reloaded time.Time
	worker   haproxy.Info
	epoch    int
}

func newHAProxy(lockDir string, d hclconfig.DeliverHAProxy, logger hclog.Logger) *haproxyTarget {
	return &haproxyTarget{
		name:     targetName("haproxy", d.Name),
		socket:   d.Socket,
		method:   haproxy.Method(d.Method),
		pace:     d.MinInterval,
		remove:   d.OnRevoked == "remove",
		discover: d.Discover,
		client: haproxy.New(haproxy.Config{
			Socket: d.Socket, LockDir: lockDir, Reload: d.Reload, Logger: logger.Named("haproxy"),
		}),
	}
}

// Name is "haproxy" and the target's label, if it has one.
func (t *haproxyTarget) Name() string { return t.name }

// Install has HAProxy staple s: by a push, and where that can't help and the
// job file gives a way, by a reload.
func (t *haproxyTarget) Install(ctx context.Context, s writer.Staple) (writer.Outcome, error) {
	certificate, err := forHAProxy(s)
	if err != nil {
		return writer.Outcome{}, err
	}
	var out haproxy.Outcome
	if t.remove && certificate.Revoked {
		out, err = t.withdraw(ctx, certificate)
	} else {
		out, err = t.install(ctx, certificate, s.File != "")
	}
	if err != nil {
		return writer.Outcome{}, &writer.Error{Reason: string(haproxy.KindOf(err)), Err: err}
	}
	detail := ""
	if out.Pid != 0 {
		detail = "pid " + strconv.Itoa(out.Pid)
	}
	return writer.Outcome{How: string(out.How), Detail: detail}, nil
}

// install pushes, or reloads where only that helps; filed says that the
// response is in its file.
func (t *haproxyTarget) install(ctx context.Context, c haproxy.Certificate, filed bool) (out haproxy.Outcome, err error) {
	if t.method == haproxy.MethodReload {
		// What only a reload installs, until there was one.
		err = t.fail(haproxy.KindNotRegistered, "the response is served after the next reload, which waits for its file and for min_interval")
	} else {
		out, err = t.client.Install(ctx, haproxy.MethodPush, c)
	}
	// What no file holds is not there after a reload.
	if t.method == haproxy.MethodPush || !filed || !needsReload(err) {
		return out, err
	}
	pushed := err
	t.mu.Lock()
	defer t.mu.Unlock()
	if out, err = t.client.Check(ctx, c); err == nil {
		out.How = haproxy.HowUnchanged
		return out, nil
	}
	if !t.mayReload() {
		return haproxy.Outcome{}, pushed // the better answer
	}
	out, err = t.client.Install(ctx, haproxy.MethodReload, c)
	if haproxy.KindOf(err) == haproxy.KindNoReload {
		return haproxy.Outcome{}, pushed
	}
	// A reload that failed counts too: the next would fail the same way.
	t.reloaded = time.Now()
	return out, err
}

// withdraw has HAProxy serve the certificate without a staple. The file is
// gone already; HAProxy takes nothing back while it runs.
func (t *haproxyTarget) withdraw(ctx context.Context, c haproxy.Certificate) (haproxy.Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held, err := t.client.Held(ctx, c.CertID)
	if err != nil || !held.Present {
		return haproxy.Outcome{How: haproxy.HowUnchanged}, err
	}
	if !t.mayReload() {
		return haproxy.Outcome{}, t.fail(haproxy.KindRefused, "the staple of a revoked certificate goes with the next reload, which waits for min_interval")
	}
	t.reloaded = time.Now()
	if err := t.client.Reload(ctx); err != nil {
		return haproxy.Outcome{}, err
	}
	if held, err = t.client.Held(ctx, c.CertID); err == nil && held.Present {
		err = t.fail(haproxy.KindRefused, "HAProxy still holds a staple for a revoked certificate after a reload: from which file?")
	}
	return haproxy.Outcome{How: haproxy.HowReload}, err
}

// mayReload reports whether the last reload is long enough ago. Certificates
// that wait for their turn are often cured by the reload of another. The
// caller holds the lock.
func (t *haproxyTarget) mayReload() bool {
	return t.reloaded.IsZero() || time.Since(t.reloaded) >= t.pace
}

func (t *haproxyTarget) fail(kind haproxy.Kind, text string) error {
	return &haproxy.Error{Kind: kind, Socket: t.socket, Detail: text}
}

func needsReload(err error) bool {
	var e *haproxy.Error
	return errors.As(err, &e) && e.NeedsReload()
}

// Epoch changes when HAProxy's worker does.
func (t *haproxyTarget) Epoch(ctx context.Context) (string, error) {
	info, err := t.client.Info(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !info.Same(t.worker) {
		t.worker = info
		t.epoch++
	}
	return strconv.Itoa(t.epoch), nil
}

// forHAProxy is a staple in HAProxy's terms.
func forHAProxy(s writer.Staple) (haproxy.Certificate, error) {
	certID, err := staple.CertID(s.Certificate.Leaf, s.Certificate.Issuer)
	if err != nil {
		return haproxy.Certificate{}, err
	}
	fingerprint := sha1.Sum(s.Certificate.Leaf.Raw)
	c := haproxy.Certificate{
		Path: s.Certificate.Path, FingerprintSHA1: hex.EncodeToString(fingerprint[:]), CertID: certID,
		OCSP: s.Facts.DER, ThisUpdate: s.Facts.ThisUpdate, NextUpdate: s.Facts.NextUpdate,
		Revoked: s.Facts.Status == staple.Revoked,
	}
	if !s.Certificate.IssuerInPEM {
		c.IssuerPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate.Issuer.Raw})
	}
	return c, nil
}
