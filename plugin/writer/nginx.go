package writer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// NginxConfig describes an nginx.
type NginxConfig struct {
	Name   string   // for logs and status
	Reload []string // command that has nginx load its files again; required
	Test   []string // command that fails if they would not load; none: no test
	// File is where responses go, an absolute path with {name} or {id} for the
	// certificate's; empty: where the Writer writes them.
	File string
	// StateDir keeps over restarts when nginx was reloaded last. It is made if absent.
	StateDir       string
	TrustedFolders []string
	Logger         hclog.Logger
	Now            func() time.Time // nil: time.Now
	// Gather is how long staples are gathered for one reload, Pause how long
	// nothing is tried after one that failed; 0: 2 s, 1 min.
	Gather, Pause time.Duration
}

// nginx is a Committer: it reads a file of ssl_stapling_file when it loads its
// configuration, and then never again
// (https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_stapling_file).
type nginx struct {
	c       NginxConfig
	trust   trust
	folders foldersync.Folders

	mu      sync.Mutex
	files   map[string]*nginxFile
	waiting time.Time // since when some file waits for a reload; zero: none does
	failed  time.Time // of the last reload, if it failed
	since   time.Time // the first of those that failed in a row
	said    []string  // the reasons of these that the log knows
}

// nginxFile is a file of responses.
type nginxFile struct {
	certificate string
	filed       *staple.Facts // what it holds
	loaded      *staple.Facts // what nginx has read; nil: something else or nothing
	shared      bool          // the log knows that it serves several certificates
}

// NewNginx makes a target that brings each staple into a file and reloads nginx
// for all of them together: when one is the first of its file, has another
// status than the one that nginx has loaded, or when half of the loaded one's
// life is over. Files are replaced whole: one that was there is never missing
// or empty, which would keep nginx from starting.
func NewNginx(c NginxConfig) Target {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Gather = cmp.Or(c.Gather, 2*time.Second)
	c.Pause = cmp.Or(c.Pause, time.Minute)
	return &nginx{c: c, trust: newTrust(c.TrustedFolders), folders: foldersync.Folders{Do: syncFolder}, files: map[string]*nginxFile{}}
}

func (n *nginx) Name() string { return n.c.Name }

// Epoch is empty: a restart reads the files, which are right.
func (n *nginx) Epoch(context.Context) (string, error) { return "", nil }

// Install brings the staple into its file.
func (n *nginx) Install(_ context.Context, s Staple) (Outcome, error) {
	path, err := n.file(s)
	if err != nil {
		return Outcome{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.files[path]
	if f == nil {
		f = &nginxFile{}
		n.files[path] = f
		if n.readBefore(path) {
			f.loaded = s.Facts
		}
	}
	f.certificate, f.filed = s.Certificate.Path, s.Facts
	if f.current() {
		return Outcome{How: Unchanged}, nil
	}
	if n.waiting.IsZero() {
		n.waiting = n.c.Now()
	}
	return Outcome{How: Filed}, nil
}

// file is where the staple is by now.
func (n *nginx) file(s Staple) (string, error) {
	if n.c.File == "" {
		if s.File == "" {
			return "", refuse(ReasonPath, "no file holds the response: set file, or write_files = true")
		}
		return s.File, nil
	}
	c := s.Certificate
	if c.Name == "." || c.Name == ".." || strings.ContainsAny(c.Name, "/\x00") || !staple.ValidID(c.ID) {
		return "", refuse(ReasonPath, "the certificate's name %q can't be part of a path", c.Name)
	}
	path := strings.NewReplacer("{name}", c.Name, "{id}", c.ID).Replace(n.c.File)
	f := file{path: path, like: c.Path, trust: n.trust, folders: &n.folders}
	_, err := f.replace(s.Facts.DER, func(old []byte) (bool, error) {
		if bytes.Contains(old, []byte("-----BEGIN")) {
			return false, refuse(ReasonPath, "%s holds a PEM, which is not ours to replace", path)
		}
		there, err := c.verify(old, n.c.Now())
		return err != nil || supersedes(s.Facts, there), nil
	})
	return path, err
}

func (f *nginxFile) current() bool { return f.loaded != nil && bytes.Equal(f.loaded.DER, f.filed.DER) }

// pressing tells whether nginx has to read the file now. The half that is left
// of a good staple's life is time enough for a later one to come along.
func (f *nginxFile) pressing(now time.Time) bool {
	switch {
	case f.current():
		return false
	case f.loaded == nil, f.loaded.Status != f.filed.Status:
		return true
	}
	life := f.loaded.Until.Sub(f.loaded.ThisUpdate)
	return !now.Before(f.loaded.ThisUpdate.Add(life / 2))
}

// Commit reloads nginx if that is due and its configuration would load.
func (n *nginx) Commit(ctx context.Context, last bool) (Commitment, error) {
	if !n.due(last) {
		return Commitment{}, nil
	}
	began := n.c.Now()
	n.mu.Lock()
	read := map[string]*staple.Facts{}
	for path, f := range n.files {
		read[path] = f.filed
	}
	n.mu.Unlock()
	shared, err := n.reload(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			level := hclog.Debug // what fails once fails the next minute, too
			reason := ReasonOf(err)
			if !slices.Contains(n.said, reason) {
				level, n.said = hclog.Error, append(n.said, reason)
			}
			if n.failed.IsZero() {
				n.since = n.c.Now()
			}
			n.failed = n.c.Now()
			n.c.Logger.Log(level, "nginx was not reloaded and goes on with what it has", "target", n.c.Name, "reason", reason, "error", err)
		}
		return Commitment{}, err
	}
	if !n.failed.IsZero() {
		n.c.Logger.Info("nginx is reloaded again", "target", n.c.Name, "was", strings.Join(n.said, ","), "after", n.c.Now().Sub(n.since).Round(time.Second))
		n.said = nil
	}
	n.failed, n.waiting = time.Time{}, time.Time{}
	wrong := map[string]error{}
	for path, facts := range read {
		f := n.files[path]
		if f.loaded = facts; !f.current() {
			n.waiting = n.c.Now()
		}
		if err := shared[path]; err != nil {
			level := hclog.Warn
			if f.shared {
				level = hclog.Debug // it was said
			}
			f.shared = true
			n.c.Logger.Log(level, "one staple for several certificates", "target", n.c.Name, "reason", ReasonShared, "error", err)
			wrong[f.certificate] = err
		}
	}
	n.c.Logger.Info("nginx reloaded", "target", n.c.Name, "staples", len(read))
	return Commitment{Done: true, Wrong: wrong}, n.remember(began)
}

func (n *nginx) due(last bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.c.Now()
	if !last && (now.Sub(n.waiting) < n.c.Gather || !n.failed.IsZero() && now.Sub(n.failed) < n.c.Pause) {
		return false
	}
	for _, f := range n.files {
		if f.pressing(now) {
			return true
		}
	}
	return false
}

// mark is a file whose time is that of the last reload.
func (n *nginx) mark() string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %q", n.c.Reload, n.c.File)))
	return filepath.Join(n.c.StateDir, "nginx-"+hex.EncodeToString(sum[:8]))
}

// readBefore tells whether nginx has been reloaded since the file was written,
// by an earlier process perhaps. In doubt it has not.
func (n *nginx) readBefore(path string) bool {
	reloaded, err := os.Stat(n.mark())
	if err != nil {
		return false
	}
	written, err := os.Stat(path)
	return err == nil && written.ModTime().Before(reloaded.ModTime())
}

func (n *nginx) remember(began time.Time) error {
	if err := os.MkdirAll(n.c.StateDir, 0o700); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	if err := os.WriteFile(n.mark(), nil, 0o600); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	if err := os.Chtimes(n.mark(), began, began); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	return nil
}
