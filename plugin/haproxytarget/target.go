// Package haproxytarget hands staples to one HAProxy, as a [writer.Target]. It
// adds to package haproxy what is a matter of the node and of the cluster: what
// waits for a reload, and when that may happen.
package haproxytarget

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// Config is what a Target is made of.
type Config struct {
	Name, Job string
	// Socket is the address of HAProxy's runtime API; LockDir is that of all who
	// speak to it.
	Socket, LockDir string
	// Method is how a response gets there; Reload a command for what only a reload
	// brings, empty: HAProxy's own way, if there is one.
	Method haproxy.Method
	Reload []string
	// Remove: a revoked certificate is to be served without a staple.
	Remove bool
	// Discover: the certificates that it serves are the job's.
	Discover bool
	// AskOnly: nothing will be installed.
	AskOnly bool
	// MinInterval is between two reloads, MaxConcurrent how many nodes may reload
	// at a time.
	MinInterval   time.Duration
	MaxConcurrent int
	// Turns is where a reload gets its turn; it may be called at any time, and
	// returns nil where there are no other nodes.
	Turns func() *Turns
	// StateDir is the folder that keeps when HAProxy was reloaded last.
	StateDir string
	Logger   hclog.Logger
}

// Target is one HAProxy. It is a [writer.Committer] and a [writer.Batch].
type Target struct {
	name, socket, job string
	client            *haproxy.Client
	method            haproxy.Method
	remove, discover  bool
	reload            reloadRules
	strict            *strictness
	// failing and unmarked are what the log knows of reloads.
	failing  reloadFailing
	unmarked bool
	logger   hclog.Logger

	mu      sync.Mutex
	worker  haproxy.Info
	epoch   int
	waiting map[string]*waiting // by path
	since   time.Time           // when the first of them came
	ask     time.Time           // not before this for a turn
}

// New makes a Target. Nothing is asked yet.
func New(c Config) *Target {
	sum := sha1.Sum([]byte(c.Socket))
	client := haproxy.New(haproxy.Config{Socket: c.Socket, LockDir: c.LockDir, AskOnly: c.AskOnly, Reload: c.Reload, Logger: c.Logger})
	return &Target{
		name: c.Name, socket: c.Socket, job: c.Job, method: c.Method, remove: c.Remove, discover: c.Discover,
		reload: reloadRules{
			interval: c.MinInterval, most: c.MaxConcurrent, gather: reloadGather,
			mark:  filepath.Join(c.StateDir, "haproxy-"+hex.EncodeToString(sum[:8])),
			turns: c.Turns, now: time.Now,
		},
		logger:  c.Logger,
		strict:  newStrictness(client.Strict),
		client:  client,
		waiting: map[string]*waiting{},
	}
}

// Client is who speaks to the HAProxy, for questions.
func (t *Target) Client() *haproxy.Client { return t.client }

// Method is how responses get there.
func (t *Target) Method() haproxy.Method { return t.method }

// Discovers reports whether the certificates that HAProxy serves are the job's.
func (t *Target) Discovers() bool { return t.discover }

// Name is how logs and the status call it.
func (t *Target) Name() string { return t.name }

// Install has HAProxy staple s by a push. Where that can't help and the job file
// gives a way, s waits for the reload that Commit makes for all together.
func (t *Target) Install(ctx context.Context, s writer.Staple) (writer.Outcome, error) {
	c, err := CertificateOf(s)
	if err != nil {
		return writer.Outcome{}, err
	}
	out, err := t.install(ctx, c)
	return t.outcome(ctx, c, s, out, err)
}

// outcome is what the writer is told of an installation that came to out or err.
func (t *Target) outcome(ctx context.Context, c haproxy.Certificate, s writer.Staple, out haproxy.Outcome, err error) (writer.Outcome, error) {
	if err == nil {
		t.settle(c.Path)
	} else if t.helps(ctx, c, s, err) {
		// Only what no reload can be expected to bring is an error now.
		err = t.await(ctx, c, err)
		out.How = writer.Filed
	}
	if err != nil {
		return writer.Outcome{}, failure(err)
	}
	detail := ""
	if out.Pid != 0 {
		detail = "pid " + strconv.Itoa(out.Pid)
	}
	return writer.Outcome{How: string(out.How), Detail: detail, Served: out.How != writer.Filed}, nil
}

// AtOnce keeps the socket free for others every so often.
func (t *Target) AtOnce() int { return haproxy.PushMost }

// InstallAll pushes together what can be pushed, and does the others one by one.
func (t *Target) InstallAll(ctx context.Context, list []writer.Staple) []writer.Installed {
	all := make([]writer.Installed, len(list))
	var together []int
	var certs []haproxy.Certificate
	for i, s := range list {
		c, err := CertificateOf(s)
		if err == nil && !t.pushes(c) {
			all[i].Outcome, all[i].Err = t.Install(ctx, s)
			continue
		}
		if all[i].Err = err; err == nil {
			together, certs = append(together, i), append(certs, c)
		}
	}
	for k, done := range t.client.PushAll(ctx, certs) {
		i := together[k]
		all[i].Outcome, all[i].Err = t.outcome(ctx, certs[k], list[i], done.Outcome, done.Err)
	}
	return all
}

// pushes tells whether a push is the way for c.
func (t *Target) pushes(c haproxy.Certificate) bool {
	return !t.withdrawn(c) && t.method != haproxy.MethodReload
}

// install does what can be done without a reload.
func (t *Target) install(ctx context.Context, c haproxy.Certificate) (haproxy.Outcome, error) {
	if t.pushes(c) {
		return t.client.Install(ctx, haproxy.MethodPush, c)
	}
	err := t.asItShould(ctx, c)
	return haproxy.Outcome{How: haproxy.HowUnchanged}, err
}

// withdrawn reports whether the certificate is to be served without a staple.
func (t *Target) withdrawn(c haproxy.Certificate) bool { return t.remove && c.Revoked }

// asItShould is nil if HAProxy holds what only its files bring it.
func (t *Target) asItShould(ctx context.Context, c haproxy.Certificate) error {
	if !t.withdrawn(c) {
		_, err := t.client.Check(ctx, c)
		return err
	}
	held, err := t.client.Held(ctx, c.CertID)
	if err == nil && held.Present {
		return t.fail(haproxy.KindRefused, "HAProxy holds a staple for a revoked certificate, and no version takes one back while it runs")
	}
	return err
}

// helps reports whether a reload can be expected to cure what could not be
// installed: never with push, never without a way, and not for a response that
// is in no file, which would not be there after it.
func (t *Target) helps(ctx context.Context, c haproxy.Certificate, s writer.Staple, err error) bool {
	var e *haproxy.Error
	if t.method == haproxy.MethodPush || !errors.As(err, &e) {
		return false
	}
	byFiles := e.Kind == haproxy.KindRefused && (t.withdrawn(c) || t.method == haproxy.MethodReload)
	if !e.NeedsReload() && !byFiles || s.File == "" && !t.withdrawn(c) {
		return false
	}
	can, err := t.client.CanReload(ctx)
	return err == nil && can
}

func (t *Target) fail(kind haproxy.Kind, text string) error {
	return &haproxy.Error{Kind: kind, Socket: t.socket, Detail: text}
}

// failure is an error in the writer's terms.
func failure(err error) error {
	return &writer.Error{Reason: string(haproxy.KindOf(err)), Err: err}
}

// Epoch changes when HAProxy's worker does.
func (t *Target) Epoch(ctx context.Context) (string, error) {
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

// CertificateOf is a staple in the terms of package haproxy.
func CertificateOf(s writer.Staple) (haproxy.Certificate, error) {
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
