package plugin

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
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
		for _, d := range job.Exec {
			d.Source = hclconfig.Source{}
			add(job.Name, d, func() writer.Target {
				return writer.NewExec(d.Command, d.Timeout, t.logger.Named("exec"))
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

	mu       sync.Mutex
	reloaded time.Time
	worker   haproxy.Info
	epoch    int
}

func newHAProxy(lockDir string, d hclconfig.DeliverHAProxy, logger hclog.Logger) *haproxyTarget {
	return &haproxyTarget{
		name:   targetName("haproxy", d.Name),
		socket: d.Socket,
		method: haproxy.Method(d.Method),
		pace:   d.MinInterval,
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
	if t.method == haproxy.MethodReload {
		// What only a reload installs, until there was one.
		err = &haproxy.Error{
			Kind: haproxy.KindNotRegistered, Socket: t.socket,
			Detail: "the response is served after the next reload, which waits for its file and for min_interval",
		}
	} else {
		out, err = t.client.Install(ctx, haproxy.MethodPush, certificate)
	}
	// What no file holds is not there after a reload.
	if t.method != haproxy.MethodPush && s.File != "" && needsReload(err) {
		out, err = t.reload(ctx, certificate, err)
	}
	if err != nil {
		return writer.Outcome{}, &writer.Error{Reason: string(haproxy.KindOf(err)), Err: err}
	}
	return writer.Outcome{How: string(out.How), Detail: "pid " + strconv.Itoa(out.Pid)}, nil
}

// reload installs by a reload, unless HAProxy already holds the
// response, the last reload was a moment ago, or there is no way to: then why the push failed is the better answer. Certificates
// that wait for their turn are often cured by the reload of another.
func (t *haproxyTarget) reload(ctx context.Context, c haproxy.Certificate, pushed error) (haproxy.Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if out, err := t.client.Check(ctx, c); err == nil {
		out.How = haproxy.HowUnchanged
		return out, nil
	}
	if !t.reloaded.IsZero() && time.Since(t.reloaded) < t.pace {
		return haproxy.Outcome{}, pushed
	}
	out, err := t.client.Install(ctx, haproxy.MethodReload, c)
	if haproxy.KindOf(err) == haproxy.KindNoReload {
		return haproxy.Outcome{}, pushed
	}
	// A reload that failed counts too: the next would fail the same way.
	t.reloaded = time.Now()
	return out, err
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
