package writer

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
)

const (
	// reloadTimeout bounds a test or a reload.
	reloadTimeout = 2 * time.Minute
	// maxDump bounds what is read of a configuration.
	maxDump = 32 << 20
)

// dumping is a test that prints the configuration too: nginx -T does what -t
// does. dumps is false for other commands, which stay as they are.
func dumping(test []string) (args []string, dumps bool) {
	i := slices.Index(test, "-t")
	if filepath.Base(test[0]) != "nginx" || i < 0 {
		return test, false
	}
	args = slices.Clone(test)
	args[i] = "-T"
	return args, true
}

// reload tests and reloads. What it returns besides is which files nginx
// staples for several certificates.
func (n *nginx) reload(ctx context.Context) (map[string]error, error) {
	shared, err := CheckNginx(ctx, n.c.Test)
	if err != nil {
		return nil, err
	}
	if _, err := program.Output(ctx, n.c.Reload, maxDump, reloadTimeout); err != nil {
		return nil, &Error{Reason: ReasonReload, Err: err}
	}
	return shared, nil
}

// CheckNginx runs the command that says whether nginx would load its
// configuration; without one nothing is known. shared are the files of responses,
// by path, that nginx would staple for several certificates.
func CheckNginx(ctx context.Context, test []string) (shared map[string]error, err error) {
	if len(test) == 0 {
		return nil, nil
	}
	args, dumps := dumping(test)
	out, err := program.Output(ctx, args, maxDump, reloadTimeout)
	if err != nil {
		return nil, &Error{Reason: ReasonTest, Err: err}
	}
	if dumps {
		shared = sharedStaples(out)
	}
	return shared, nil
}
