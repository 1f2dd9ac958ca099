package restaple

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxytarget"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/writer"
)

// install has the writer put the response into its file and tell HAProxy, by
// the same rules as an agent: an older response never replaces a newer one.
func (r *run) install(ctx context.Context) error {
	var target *pushed
	c := writer.Certificate{
		ID: staple.ID(r.got.Leaf), Job: "hapos-upd", Name: "certificate", Path: r.Certificate,
		Leaf: r.got.Leaf, Issuer: r.got.Issuer,
		// The issuer file is written even where the PEM has the issuer; but only one
		// that a running HAProxy may lack is sent to it.
		WriteFile: true, WriteIssuer: true, IssuerChain: r.got.Chain[1:], IssuerInPEM: slices.ContainsFunc(r.inPEM, r.got.Issuer.Equal),
		Options: writer.Options{TrustedResponders: r.got.Signers},
	}
	if !r.SkipPush {
		method := haproxy.MethodPush
		if len(r.Reload) > 0 {
			method = haproxy.MethodAuto
		}
		target = &pushed{method: method, client: haproxy.New(haproxy.Config{
			Socket: r.Socket, LockDir: r.LockDir, Reload: r.Reload, Logger: r.Logger,
		})}
		c.Targets = []writer.Target{target}
	}
	w := writer.New(writer.Config{Store: noStore{}, TrustedFolders: r.TrustedFolders, Logger: r.Logger})
	w.Set([]writer.Certificate{c})
	results := w.Pass(ctx, []record.Staple{{ID: c.ID, DER: r.got.Facts.DER}})
	state := results[0].State
	switch {
	case state.Reason != "" && state.Reason != writer.ReasonWaiting:
		return failedAt(StageInstall, "%s", state.Error)
	case !state.Filed: // by no fault of its own
		return failedAt(StageInstall, "%s was not written: %w", state.File, interruption(ctx))
	}
	r.Tell("file: %s holds it", state.File)
	if target == nil {
		r.Tell("HAProxy is not told")
		return nil
	}
	switch err := target.err; {
	case err == nil && target.out.How == "": // it was never asked
		return failedAt(StageInstall, "HAProxy at %s was not told: %w", r.Socket, interruption(ctx))
	case err == nil:
		r.got.How = string(target.out.How)
		r.Tell("HAProxy at %s staples it: %s", r.Socket, r.got.How)
	case notRunning(err):
		r.got.NotRunning = err
	default:
		return failedAt(StageInstall, "%w", err)
	}
	return nil
}

// interruption is why something was left undone.
func interruption(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return errors.New("the run ended before")
}

// notRunning tells whether there is no HAProxy to be told: no socket, or nobody
// behind it.
func notRunning(err error) bool {
	return haproxy.KindOf(err) == haproxy.KindSocket && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED))
}

// pushed is a HAProxy that is told once. It keeps what came of that, of which the
// writer's state has only the words.
type pushed struct {
	client *haproxy.Client
	method haproxy.Method
	out    haproxy.Outcome
	err    error
}

// Name is how logs call it.
func (*pushed) Name() string { return "haproxy" }

// Epoch is not asked for by a single pass.
func (*pushed) Epoch(context.Context) (string, error) { return "", nil }

// Install pushes, and reloads where that is wanted and only a reload helps.
func (p *pushed) Install(ctx context.Context, s writer.Staple) (writer.Outcome, error) {
	c, err := haproxytarget.CertificateOf(s)
	if err == nil {
		p.out, err = p.client.Install(ctx, p.method, c)
	}
	p.err = err
	return writer.Outcome{How: string(p.out.How)}, err
}

// noStore keeps nothing: the files are all that stays of a run.
type noStore struct{}

func (noStore) Staple(string) (record.Staple, bool, error) { return record.Staple{}, false, nil }
func (noStore) Put(record.Staple) (bool, error)            { return true, nil }
func (noStore) Replace(record.Staple) error                { return nil }
