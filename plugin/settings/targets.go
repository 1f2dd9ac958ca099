package settings

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// Targets make the targets of all deliver blocks. One whose block did not change
// stays the same over a reload of the configuration: its certificates are not
// delivered again, and its reloads stay paced. They are for one goroutine at a
// time.
type Targets struct {
	Logger hclog.Logger
	// Turns are the node's turns to reload; nil: standalone. They may be set until
	// the first target is used.
	Turns *haproxytarget.Turns
	// AskOnly: nothing will be installed.
	AskOnly bool

	made map[string]writer.Target
}

// byJob are the targets of each job's certificates. Targets of blocks that are
// gone are forgotten.
func (t *Targets) byJob(cfg *hclconfig.Config) map[string][]writer.Target {
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
				add(job.Name, d, func() writer.Target { return t.haproxy(cfg, job.Name, d) })
			}
		}
		for _, d := range job.Nginx {
			d.Source = hclconfig.Source{}
			add(job.Name, d, func() writer.Target {
				return writer.NewNginx(writer.NginxConfig{
					Name: targetName("nginx", d.Name), Reload: d.Reload, Test: d.Test, File: d.File,
					StateDir: reloadDir(cfg), TrustedFolders: cfg.TrustedFolders, Logger: t.Logger.Named("nginx"),
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
				return writer.NewExec(name, d.Command, d.Timeout, t.Logger.Named("exec"))
			})
		}
	}
	t.made = kept
	return jobs
}

func (t *Targets) haproxy(cfg *hclconfig.Config, job string, d hclconfig.DeliverHAProxy) *haproxytarget.Target {
	return haproxytarget.New(haproxytarget.Config{
		Name: targetName("haproxy", d.Name), Job: job, Socket: d.Socket, LockDir: cfg.LockDir,
		Method: haproxy.Method(d.Method), Reload: d.Reload, Remove: d.OnRevoked == "remove", Discover: d.Discover, AskOnly: t.AskOnly,
		MinInterval: d.MinInterval, MaxConcurrent: d.MaxConcurrent, Turns: func() *haproxytarget.Turns { return t.Turns },
		StateDir: reloadDir(cfg), Logger: t.Logger.Named("haproxy"),
	})
}

// reloadDir is where targets note when they reloaded last.
func reloadDir(cfg *hclconfig.Config) string { return filepath.Join(cfg.DataDir, "reload") }

func targetName(kind, name string) string {
	if name == "" {
		return kind
	}
	return kind + " " + name
}
