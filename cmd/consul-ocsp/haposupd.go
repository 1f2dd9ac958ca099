package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/restaple"
)

// haposName is the script's, and that of a link to this program.
const haposName = "hapos-upd"

// Exit codes of the script of that name.
const (
	haposCertificate = 1
	haposNoURL       = 2
	haposForm        = 3
	haposResponse    = 4
	haposInstall     = 5
	haposUsage       = 9
)

// haposRun are the flags of one run.
type haposRun struct {
	restaple.One
	keepTemp, useCurl, partialChain bool
	showVersion                     bool
	priority, reload                string
	trusted                         list
}

func haposCommand(e environment) *command {
	c := newCommand(e, haposName+" [options] --cert FILE", "Updates one certificate's staple, as the script of that name", `
Fetches the response for the certificate in FILE, verifies it, writes
FILE.issuer and FILE.ocsp, and has HAProxy staple it: options and exit codes are
those of the script, also where this program is called hapos-upd through a link.
Short options may stand together, and their values right behind them.

What differs from the script:
  - --ocsp-proxy sends the request through an HTTP proxy, and does not replace
    the URL. HTTP_PROXY, HTTPS_PROXY and NO_PROXY count; --use-curl adds nothing.
  - --noverify skips the question whether the signer may sign, and nothing else.
    Signature, CertID and times are always verified. So is all of it by default,
    without a trusted store, which is why --partial-chain adds nothing.
  - A response that says unknown, that is signed with SHA-1, or that has less
    than ten minutes left is refused: HAProxy would drop the good one for it.
  - An older response never replaces a newer one, in the file or in HAProxy.
  - HAProxy's no is exit code 5. Without a HAProxy that listens, the file is
    written, a warning is printed, and the exit code is 0.
  - A certificate that HAProxy loaded without a staple gets its first one while it
    runs. --reload is for what only a reload can do; without it there is none.
  - An issuer that no file has is downloaded from the certificate's own URL. A
    FILE.issuer that does not fit the certificate any more is replaced.
  - Every exchange ends: 10 seconds for a responder, as much for HAProxy.
  - openssl, socat and curl are not needed.

Exit codes: 0 done, 1 certificate, chain or exchange, 2 no responder's URL, 3 a
PEM or URL that is none, 4 response refused, or not good with -g, 5 file, socket
or HAProxy's no, 9 options.

Example:
  consul-ocsp hapos-upd --cert /etc/haproxy/certs/www.pem
  ln -s /usr/local/bin/consul-ocsp /usr/local/bin/hapos-upd`)
	h := &haposRun{}
	h.addFlags(c)
	c.prepare = splitShort
	c.wrongFlags = func([]string) int { return haposUsage }
	c.run = func(c *command, args []string) int {
		if h.showVersion {
			fmt.Fprintln(c.stdout, versionLine())
			return exitOK
		}
		return h.run(c, args)
	}
	return c
}

func (h *haposRun) addFlags(c *command) {
	toggle := func(p *bool, text string, names ...string) {
		for i, name := range names {
			c.flags.BoolVar(p, name, false, also(i, names, text))
		}
	}
	value := func(p *string, standard, text string, names ...string) {
		for i, name := range names {
			c.flags.StringVar(p, name, standard, also(i, names, text))
		}
	}
	value(&h.Certificate, "", "`FILE` with the certificate, as HAProxy loads it", "cert", "c")
	toggle(&h.DryRun, "fetch, verify and print; write nothing, tell HAProxy nothing", "debug", "d")
	toggle(&h.keepTemp, "keep ee.pem, chain.pem, ocsp.der, ocsp.txt and log in a temporary folder, which is printed", "keep-temp")
	toggle(&h.GoodOnly, "refuse a response that says anything but good", "good-only", "g")
	value(&h.priority, "", "errors to syslog too, with this `PRIORITY`: a number, or facility.level", "syslog", "l")
	value(&h.URL, "", "ask this `URL` instead of the certificate's", "ocsp-url")
	value(&h.Host, "", "`HOST` for the Host header instead of the URL's", "ocsp-host")
	value(&h.Proxy, "", "`PROXY` to ask through: URL or host:port", "ocsp-proxy")
	toggle(&h.useCurl, "accepted; adds nothing", "use-curl")
	toggle(&h.partialChain, "accepted; adds nothing", "partial-chain")
	value(&h.Socket, "/run/haproxy/admin.sock", "HAProxy's `SOCKET`, of level admin", "socket", "s")
	value(&h.TrustedSigners, "", "`FILE` of certificates that may sign, too; -: the certificate's chain", "VAfile", "v")
	toggle(&h.AnySigner, "accept whoever signed", "noverify")
	toggle(&h.SkipPush, "write the files, tell HAProxy nothing", "skip-update", "S")
	value(&h.reload, "", "`COMMAND` for a shell, where only a reload has HAProxy staple it; not in the script", "reload")
	value(&h.LockDir, hclconfig.Default().LockDir, "`FOLDER` of lock files, that of the agent; not in the script", "lock-dir")
	c.flags.Func("trusted-folder", "`FOLDER` that others may write to; may be given several times; not in the script", h.trusted.Set)
	toggle(&h.showVersion, "print the version", "version")
}

// also is the help of one of an option's names: the first has the text.
func also(i int, names []string, text string) string {
	if i == 0 {
		return text
	}
	if strings.Contains(text, "`") { // it takes a value
		return "`value` of --" + names[0]
	}
	return "short for --" + names[0]
}

func (h *haposRun) run(c *command, args []string) int {
	priority, err := syslogPriority(h.priority)
	switch {
	case len(args) > 0:
		c.wrongUsage("%q is no option", args[0])
		return haposUsage
	case h.Certificate == "":
		c.wrongUsage("--cert is missing")
		return haposUsage
	case err != nil:
		c.wrongUsage("--syslog: %v", err)
		return haposUsage
	}
	r := report{command: c, priority: priority, tagged: h.priority != ""}
	if err := h.wrongForm(); err != nil {
		r.say(err.Error())
		return haposForm
	}
	if h.partialChain {
		fmt.Fprintln(c.stderr, "consul-ocsp hapos-upd: --partial-chain adds nothing: the issuer itself is what a response is verified with")
	}
	return h.update(c, r)
}

// wrongForm says which URL is none.
func (h *haposRun) wrongForm() error {
	for _, u := range []struct{ option, value string }{{"--ocsp-url", h.URL}, {"--ocsp-proxy", h.Proxy}} {
		text := u.value
		if u.option == "--ocsp-proxy" && text != "" && !strings.Contains(text, "://") {
			text = "http://" + text
		}
		parsed, err := url.Parse(text)
		if text != "" && (err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https") {
			return fmt.Errorf("%s: not a URL such as http://host.example.com", u.option)
		}
	}
	return nil
}

// update does the run, and is the exit code.
func (h *haposRun) update(c *command, r report) int {
	ctx, stop := c.interrupted()
	defer stop()
	kept, err := keepRun(c, h.keepTemp)
	if err != nil {
		r.say(err.Error())
		return haposInstall
	}
	defer kept.close()
	one := h.One
	one.Version, one.TrustedFolders, one.Logger = version, h.trusted, kept.logger()
	if h.reload != "" {
		one.Reload = []string{"/bin/sh", "-c", h.reload}
	}
	one.Tell = func(format string, args ...any) {
		line := printable(fmt.Sprintf(format, args...))
		kept.note(line)
		if h.DryRun {
			fmt.Fprintln(c.stdout, line)
		}
	}
	got, err := restaple.Run(ctx, one)
	if err := errors.Join(kept.keep(got), err); err != nil {
		r.say(err.Error())
	}
	if err == nil && got.NotRunning != nil {
		r.say("warning: the files are written, and HAProxy reads them when it starts: " + got.NotRunning.Error())
	}
	return haposCode(err)
}

func haposCode(err error) int {
	var at *restaple.Error
	if err == nil {
		return exitOK
	}
	if !errors.As(err, &at) {
		return haposCertificate
	}
	switch at.Stage {
	case restaple.StageNoURL:
		return haposNoURL
	case restaple.StageForm:
		return haposForm
	case restaple.StageResponse:
		return haposResponse
	case restaple.StageInstall:
		return haposInstall
	}
	return haposCertificate // it, its chain, or the exchange
}
