package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// haproxies runs a test with the system's HAProxy, which is 2.6 on Debian
// bookworm, and with 3.0.
func haproxies(t *testing.T, test func(t *testing.T, binary string)) {
	t.Helper()
	for name, binary := range map[string]string{"system": haproxytest.Binary(t), "3.0": consultest.Binary(t, "haproxy-3.0")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

// haposUpd runs hapos-upd to its end.
func haposUpd(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.Command(haposName, append(args, "--lock-dir", filepath.Join(t.TempDir(), "lock"))...)
	cmd.Env = cleanEnvironment()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// A HAProxy that was started without a staple gets its first one while it runs,
// then newer ones; what it holds already is left alone.
func TestHaposUpdPushes(t *testing.T) {
	t.Parallel()
	haproxies(t, func(t *testing.T, binary string) {
		const www, bare = "www.example.test", "bare.example.test"
		a := newAuthority(t, testca.ResponderOptions{})
		dir := t.TempDir()
		a.issue(t, dir, testca.IssueOptions{}, www)
		a.issue(t, dir, testca.IssueOptions{OmitIssuer: true, IssuerURLs: []string{a.url + "/ca.crt"}}, bare)
		p := haproxytest.Start(t, haproxytest.Options{Binary: binary, Certs: []string{filepath.Join(dir, www+".pem"), filepath.Join(dir, bare+".pem")}})
		pid := p.PID()
		update := func(name string, args ...string) {
			t.Helper()
			out, code := haposUpd(t, append(args, "-s", p.Socket(), "-c", filepath.Join(dir, name+".pem"))...)
			if code != exitOK || out != "" {
				t.Fatalf("it ends with %d and says:\n%s", code, out)
			}
		}
		update(www, "-S")
		if out, _ := sClient(p.Address(), www); !strings.Contains(out, "OCSP response: no response sent") {
			t.Fatal("-S told HAProxy all the same")
		}
		for _, name := range []string{www, bare} {
			update(name)
			stapled(t, p.Address(), name, "good")
			a.revoke(t, name)
			update(name)
			stapled(t, p.Address(), name, "revoked")
			update(name)
		}
		if p.PID() != pid {
			t.Error("HAProxy was reloaded")
		}
		p.Restart() // and reads the files
		stapled(t, p.Address(), www, "revoked")
		stapled(t, p.Address(), bare, "revoked")
	})
}

// HAProxy's no is 5, a reload only where it is asked for and needed; a socket
// that nobody listens at any more is a warning.
func TestHaposUpdIsRefused(t *testing.T) {
	t.Parallel()
	haproxies(t, func(t *testing.T, binary string) {
		const www = "www.example.test"
		a := newAuthority(t, testca.ResponderOptions{})
		dir := t.TempDir()
		a.issue(t, dir, testca.IssueOptions{}, www)
		pem := filepath.Join(dir, www+".pem")
		p := haproxytest.Start(t, haproxytest.Options{Binary: binary, Certs: []string{pem}, MasterWorker: true})
		pid := p.PID()
		reload := fmt.Sprintf("kill -USR2 %d", p.MasterPID())
		if out, code := haposUpd(t, "-s", p.Socket(), "-c", pem, "--reload", reload); code != exitOK || p.PID() != pid {
			t.Fatalf("it ends with %d; a reload was not needed:\n%s", code, out)
		}
		a.issue(t, dir, testca.IssueOptions{}, www) // renewed, behind HAProxy's back
		out, code := haposUpd(t, "-s", p.Socket(), "-c", pem)
		if code != haposInstall || !strings.Contains(out, "HAProxy does not serve the certificate") {
			t.Fatalf("it ends with %d and says:\n%s", code, out)
		}
		if out, code := haposUpd(t, "-s", p.Socket(), "-c", pem, "--reload", "false"); code != haposInstall {
			t.Fatalf("it ends with %d and says:\n%s", code, out)
		}
		p.Settle()
		if out, code := haposUpd(t, "-s", p.Socket(), "-c", pem, "--reload", reload); code != exitOK || p.PID() == pid {
			t.Fatalf("it ends with %d after a reload:\n%s", code, out)
		}
		stapled(t, p.Address(), www, "good")

		low := haproxytest.Start(t, haproxytest.Options{Binary: binary, Certs: []string{pem}, SocketLevel: "user"})
		a.revoke(t, www)
		if err := os.Remove(pem + ".ocsp"); err != nil {
			t.Fatal(err)
		}
		low.Restart() // without a staple, which takes a transaction
		if out, code := haposUpd(t, "-s", low.Socket(), "-c", pem); code != haposInstall || !strings.Contains(out, "level admin") {
			t.Errorf("it ends with %d and says:\n%s", code, out)
		}
		p.Stop()
		out, code = haposUpd(t, "-s", leftSocket(t, dir), "-c", pem)
		if code != exitOK || !strings.Contains(out, "nobody listens") {
			t.Errorf("it ends with %d and says:\n%s", code, out)
		}
	})
}

// leftSocket is a socket whose process is gone.
func leftSocket(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "left")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = syscall.Close(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
