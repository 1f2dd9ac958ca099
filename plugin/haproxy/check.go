package haproxy

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
)

// checkTimeout bounds a look at a configuration: one with ten thousand
// certificates takes seconds.
const checkTimeout = 2 * time.Minute

// maxOutput bounds what is kept of a program's output, in bytes.
const maxOutput = 64 << 10

// CheckConfig has HAProxy say whether it would start with these configuration
// files, which it reads in this order, as "haproxy -c -f FILE …" does; no
// process of it is touched. binary is the program, "" for haproxy in the PATH or
// in one of the folders that a user's PATH often lacks.
//
// The error is an *Error: of KindReloadFailed where HAProxy says no, with what it
// says, of KindUnsupported where it can't be asked, because there is no such
// program or this process may not read what the master may.
func CheckConfig(ctx context.Context, binary string, files []string) error {
	r := running{binary: cmp.Or(binary, installed())}
	for _, f := range files {
		r.args = append(r.args, "-f", f)
	}
	return r.check(ctx)
}

// check has HAProxy say whether it would start as r was.
func (r running) check(ctx context.Context) error {
	fail := func(kind Kind, detail string, err error) error {
		return &Error{Kind: kind, Socket: r.files(), Command: "haproxy -c", Detail: detail, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	args := slices.Concat([]string{r.binary}, r.loader, []string{"-c"}, r.args)
	out, err := program.Lines(ctx, program.Command{Args: args, Env: r.env, Dir: r.dir}, maxOutput)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fail(KindUnsupported, "it gave no answer in time", ctx.Err())
	case !errors.As(err, &exit):
		return fail(KindUnsupported, "", err)
	case os.Geteuid() != 0 && (strings.Contains(out, "Permission denied") || strings.Contains(out, "cannot open the file")):
		return fail(KindUnsupported, "only who may read its files can ask: "+alert(out), nil)
	}
	return fail(KindReloadFailed, alert(out), nil)
}

// installed is where haproxy is.
func installed() string {
	for _, name := range []string{"haproxy", "/usr/local/sbin/haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return "haproxy"
}
