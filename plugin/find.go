package plugin

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/issuer"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/render"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// sourceTimeout bounds how long Consul is waited for by one look: whoever
// renders a template kills its plugins after half a minute.
const sourceTimeout = 5 * time.Second

// lookPause is how long to wait before looking again.
const lookPause = 250 * time.Millisecond

// FindOptions name the certificate whose staple is wanted, one way or the other.
type FindOptions struct {
	// Path is the file of the certificate.
	Path string
	// Name is "job/name" of a certificate in this node's job file.
	Name string
	// Wait is how long to wait for a staple where there is none yet.
	Wait time.Duration
}

// FindStaple is the newest response for a certificate, from Consul or data_dir,
// that verifies here and now, and the certificate's id.
func FindStaple(ctx context.Context, cfg *hclconfig.Config, fo FindOptions, logger hclog.Logger) (*staple.Facts, string, error) {
	mapped, err := settings.New(cfg, nil)
	if err != nil {
		return nil, "", err
	}
	// Templates are often rendered by another user, whom data_dir is closed to:
	// that leaves Consul.
	data := store.Look(cfg.DataDir)
	sources := []render.Source{fromStore(data)}
	if cfg.Consul != nil {
		client, err := connect(cfg.Consul, "", logger, nil)
		if err != nil {
			return nil, "", err
		}
		sources = append(sources, fromConsul(client))
	}
	c, err := named(mapped, fo)
	if err != nil {
		return nil, "", err
	}
	settings := mapped.Fetch(c.Job, c.Name)
	if c.Issuer == nil {
		asking, cancel := context.WithTimeout(ctx, sourceTimeout)
		defer cancel()
		find := issuer.Finder{Store: data, Client: responder.New(responder.Config{})}
		if c.Issuer, err = find.Find(asking, c.Leaf, settings.ForIssuers()); err != nil {
			return nil, "", fmt.Errorf("%s: %w", c.Path, err)
		}
	}
	facts, err := render.Await(ctx, fo.Wait, lookPause, func(ctx context.Context) (*staple.Facts, error) {
		ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
		defer cancel()
		return render.Newest(ctx, sources, c.Leaf, c.Issuer, settings.Settings.Judgement(time.Now()))
	})
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", c.Path, err)
	}
	return facts, c.ID, nil
}

// named is the certificate that the options name. One given by its path may
// stand in the job file, whose settings then count; it need not.
func named(mapped *settings.Settings, fo FindOptions) (inventory.Certificate, error) {
	found, problems := inventory.Read(mapped.Sources)
	path, err := filepath.Abs(fo.Path)
	if err != nil {
		return inventory.Certificate{}, err
	}
	for _, c := range found {
		if fo.Name != "" && c.Job+"/"+c.Name == fo.Name || fo.Path != "" && c.Path == path {
			return c, nil
		}
	}
	for _, p := range problems {
		if fo.Name != "" && p.Job+"/"+p.Name == fo.Name {
			return inventory.Certificate{}, p.InFile()
		}
	}
	if fo.Name != "" {
		return inventory.Certificate{}, fmt.Errorf("the job file has no certificate %q (job/name)", fo.Name)
	}
	return inventory.ReadFile(path)
}

// fromStore is what data_dir has, unverified.
func fromStore(s *store.Store) render.Source {
	return render.From("data_dir", func(_ context.Context, id string) (record.Staple, bool, error) {
		return s.Staple(id)
	})
}

// fromConsul is what Consul has, unverified.
func fromConsul(c *consul.Client) render.Source {
	return render.From("consul", func(ctx context.Context, id string) (record.Staple, bool, error) {
		found, err := c.Staples(ctx, []string{id})
		st, ok := found[id]
		return st, ok, err
	})
}
