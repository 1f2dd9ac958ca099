package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// system is this machine's own, with a layer over it that takes every change:
// nothing of the machine is touched.
type system struct {
	t     *testing.T
	root  string
	upper string
}

func newSystem(t *testing.T, deb, rpm string) *system {
	t.Helper()
	dir, err := os.MkdirTemp("", "sys") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // of this process alone, and gone with it
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		os.RemoveAll(dir)
	})
	s := &system{t: t, root: filepath.Join(dir, "r"), upper: filepath.Join(dir, "u")}
	work := filepath.Join(dir, "w")
	s.must(syscall.Mount("none", dir, "tmpfs", 0, "mode=755"))
	for _, d := range []string{s.root, s.upper, work} {
		s.must(os.Mkdir(d, 0o755))
	}
	s.must(syscall.Mount("none", s.root, "overlay", 0, "lowerdir=/,upperdir="+s.upper+",workdir="+work))
	s.must(syscall.Mount("none", s.path("/run"), "tmpfs", 0, "mode=755"))
	for _, kernel := range []string{"/proc", "/dev"} {
		s.must(syscall.Mount(kernel, s.path(kernel), "", syscall.MS_BIND|syscall.MS_REC, ""))
	}
	for _, own := range []string{"/etc/consul-ocsp.d", "/etc/haproxy/certs", "/var/lib/consul-ocsp"} {
		s.must(os.RemoveAll(s.path(own))) // of an agent on the machine
	}
	copyProgram(t, deb, s.path("/deb"))
	copyProgram(t, rpm, s.path("/rpm"))
	return s
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) path(p string) string { return filepath.Join(s.root, p) }

// command is one that runs in the system.
func (s *system) command(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	path := name
	if !filepath.IsAbs(name) {
		var err error
		path, err = exec.LookPath(name)
		s.must(err)
	}
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root, Pdeathsig: syscall.SIGKILL}
	cmd.Dir = "/"
	cmd.Env = append(cleanEnvironment(), "HOME=/root", "TMPDIR=/tmp", "DEBIAN_FRONTEND=noninteractive")
	return cmd
}

// run runs a command to its end, and is what it says.
func (s *system) run(name string, args ...string) string {
	s.t.Helper()
	out, err := s.command(name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// installs runs a package's installation and looks at what is there then.
func (s *system) installs(name string, args ...string) {
	s.t.Helper()
	s.run(name, args...)
	for _, want := range packaged {
		path := want[strings.LastIndex(want, " ")+1:]
		if got := s.run("stat", "--format=%A %U %G %n", path); got != want+"\n" {
			s.t.Errorf("%s installs %sand not\n%s", name, got, want)
		}
	}
	if got := s.run("id", "consul-ocsp"); !regexp.MustCompile(`gid=\d+\(haproxy\) .*\(consul-ocsp\)\n`).MatchString(got) {
		s.t.Errorf("the user is %s", got)
	}
	if got := s.run("/usr/bin/consul-ocsp", "version"); !strings.HasPrefix(got, "consul-ocsp v") {
		s.t.Errorf("the program says %s", got)
	}
}

// unitStarts does what an administrator does after the installation, and what
// systemd does then.
func (s *system) unitStarts() {
	t := s.t
	t.Helper()
	const service = "/usr/lib/systemd/system/consul-ocsp.service"
	if out := s.run("systemd-analyze", "verify", service); out != "" {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
	s.run("systemctl", "--quiet", "enable", "consul-ocsp")
	s.run("install", "-d", "-o", "consul-ocsp", "-g", "haproxy", "-m", "2750", "/etc/haproxy/certs")
	newAuthority(t, testca.ResponderOptions{}).issue(t, s.path("/etc/haproxy/certs"), testca.IssueOptions{}, "www.example.test")
	job := writeJob(t, s.path("/etc/consul-ocsp.d/edge.hcl"), "job \"edge\" {\n  certificates {\n    paths = [\"/etc/haproxy/certs\"]\n  }\n}\n")
	s.must(os.Chmod(job, 0o640))
	s.run("chgrp", "consul-ocsp", "/etc/consul-ocsp.d/edge.hcl")

	settings := unitSettings(readText(t, s.path(service)))
	as := []string{"--reuid=" + settings["User"][0], "--regid=" + settings["Group"][0], "--init-groups", "--no-new-privs"}
	s.run("setpriv", append(as, "--inh-caps=-all", "--bounding-set=-all", "/usr/bin/consul-ocsp", "validate")...)
	s.run("install", "-d", "-o", "consul-ocsp", "-g", "haproxy", "-m", settings["StateDirectoryMode"][0], "/var/lib/"+settings["StateDirectory"][0])
	s.run("install", "-d", "-o", "consul-ocsp", "-g", "haproxy", "-m", settings["RuntimeDirectoryMode"][0], "/run/"+settings["RuntimeDirectory"][0])
	m := newManager(t, s.path("/run/notify"))
	s.must(os.Chmod(m.name, 0o777))
	capability := ",+" + strings.ToLower(strings.TrimPrefix(settings["AmbientCapabilities"][0], "CAP_"))
	as = append(as, "--inh-caps=-all"+capability, "--ambient-caps=-all"+capability, "--bounding-set=-all"+capability)
	agent := &running{cmd: s.command("setpriv", append(as, strings.Fields(settings["ExecStart"][0])...)...), log: &logged{}, done: make(chan struct{})}
	agent.cmd.Stdout, agent.cmd.Stderr = agent.log, agent.log
	agent.cmd.Env = append(agent.cmd.Env, "NOTIFY_SOCKET=/run/notify")
	agent.cmd.Env = append(agent.cmd.Env, settings["Environment"]...)
	agent.begin(t)
	m.until(t, "READY")
	eventually(t, "the staple", func() error {
		_, err := os.Stat(s.path("/etc/haproxy/certs/www.example.test.pem.ocsp"))
		return err
	})
	if code := agent.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("the agent ends with %d", code)
	}
}

// enabled checks that an upgrade leaves the service so.
func (s *system) enabled() {
	s.t.Helper()
	if _, err := os.Lstat(s.path("/etc/systemd/system/multi-user.target.wants/consul-ocsp.service")); err != nil {
		s.t.Errorf("an upgrade disables the service: %v", err)
	}
}

// completes asks bash what it proposes.
func (s *system) completes() {
	s.t.Helper()
	const script = `. /usr/share/bash-completion/completions/consul-ocsp && complete -p consul-ocsp && COMP_LINE="consul-ocsp val" consul-ocsp`
	if got := s.run("bash", "-c", script); !strings.HasSuffix(got, " consul-ocsp\nvalidate\n") {
		s.t.Errorf("completion: %s", got)
	}
}

// leftNothing looks for what a removed package has left besides the data, the
// user whose they are, and what the package tools keep for themselves.
func (s *system) leftNothing() {
	s.t.Helper()
	kept := regexp.MustCompile(`^/(deb|rpm|var/lib/consul-ocsp/.*|etc/consul-ocsp\.d/edge\.hcl|etc/haproxy/certs/.*|` +
		`etc/(passwd|group|shadow|gshadow)-?|etc/\.pwd\.lock|var/lib/(dpkg|rpm|\.rpm)/.*|var/log/dpkg\.log|root/\.rpmdb/.*|tmp/.*|var/cache/.*)$`)
	err := filepath.WalkDir(s.upper, func(path string, e fs.DirEntry, err error) error {
		if name := strings.TrimPrefix(path, s.upper); err == nil && !e.IsDir() && !kept.MatchString(name) {
			s.t.Errorf("after the removal there is %s, %v", name, e.Type())
		}
		return err
	})
	s.must(err)
	for _, path := range []string{"/etc/consul-ocsp.d/edge.hcl", "/etc/haproxy/certs/www.example.test.pem.ocsp"} {
		if _, err := os.Stat(s.path(path)); err != nil {
			s.t.Error(fmt.Errorf("the removal took data: %w", err))
		}
	}
}
