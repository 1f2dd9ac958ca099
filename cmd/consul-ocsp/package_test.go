package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// packaged is what a package installs: mode, owner and path.
var packaged = []string{
	"-rwxr-xr-x root root /usr/bin/consul-ocsp",
	"-rw-r--r-- root root /usr/lib/systemd/system/consul-ocsp.service",
	"-rw-r--r-- root root /usr/lib/sysusers.d/consul-ocsp.conf",
	"drwxr-x--- root consul-ocsp /etc/consul-ocsp.d",
	"-rw-r--r-- root root /etc/consul-ocsp.d/edge.hcl.example",
	"-rw-r--r-- root root /usr/share/man/man1/consul-ocsp.1.gz",
	"-rw-r--r-- root root /usr/share/man/man5/consul-ocsp.hcl.5.gz",
	"-rw-r--r-- root root /usr/share/bash-completion/completions/consul-ocsp",
	"-rw-r--r-- root root /usr/share/doc/consul-ocsp/copyright",
}

// The packages of a release, with this program in them: the same bytes again,
// nothing but what they should hold, and, for who may make a system to install
// them in, everything that an administrator does with them.
func TestPackages(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 && ownMounts() == "" {
		inOwnMounts(t)
		return
	}
	dir := t.TempDir()
	packagesAreTheSame(t, dir)
	deb, rpm := buildPackages(t, filepath.Join(dir, "packages"), smallProgram(t))
	packagesHold(t, deb, rpm)
	if ownMounts() != "root" {
		return
	}
	s := newSystem(t, deb, rpm)
	s.installs("dpkg", "--path-include=/usr/share/*", "--no-triggers", "--install", "/deb")
	s.unitStarts()
	s.completes()
	s.run("dpkg", "--no-triggers", "--install", "/deb") // as an upgrade does
	s.enabled()
	s.run("dpkg", "--no-triggers", "--remove", "consul-ocsp")
	s.run("dpkg", "--no-triggers", "--purge", "consul-ocsp")
	s.leftNothing()
	s.installs("rpm", "--force-debian", "--nodeps", "--install", "/rpm")
	s.run("systemctl", "--quiet", "enable", "consul-ocsp")
	s.run("rpm", "--force-debian", "--nodeps", "--force", "--upgrade", "/rpm")
	s.enabled()
	s.run("rpm", "--nodeps", "--erase", "consul-ocsp")
	s.leftNothing()
}

// smallProgram is the program under test without what debuggers want.
func smallProgram(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("consul-ocsp")
	if err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(t.TempDir(), "consul-ocsp") // the name says what the test's binary is
	if out, err := exec.Command("strip", "-o", small, program).CombinedOutput(); err != nil {
		t.Fatalf("strip: %v\n%s", err, out)
	}
	return small
}

// packagesAreTheSame packs twice, at different times and from files of different
// modes and times; a script stands for the program, since packing takes the longer
// the larger that is.
func packagesAreTheSame(t *testing.T, dir string) {
	t.Helper()
	var built [2][2]string
	for i, mode := range []os.FileMode{0o755, 0o700} {
		script := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(script, []byte("#!/bin/sh\nexec consul-ocsp \"$@\"\n"), mode); err != nil {
			t.Fatal(err)
		}
		built[i][0], built[i][1] = buildPackages(t, filepath.Join(dir, fmt.Sprint("same", i)), script)
	}
	for i := range built[0] {
		if readText(t, built[0][i]) != readText(t, built[1][i]) {
			t.Errorf("%s is not the same when it is built again", filepath.Base(built[0][i]))
		}
	}
}

// buildPackages packs a program.
func buildPackages(t *testing.T, out, program string) (deb, rpm string) {
	t.Helper()
	cmd := exec.Command("../../testdata/tools/release/build", out, runtime.GOARCH)
	cmd.Env = append(cleanEnvironment(), "PROGRAM="+program, "FORMATS=deb rpm", "VERSION=1.2.3-rc1", "COMMIT=test", "SOURCE_DATE_EPOCH=1700000001")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packing: %v\n%s", err, out)
	}
	deb = filepath.Join(out, "consul-ocsp_1.2.3~rc1-1_"+runtime.GOARCH+".deb")
	found, err := filepath.Glob(filepath.Join(out, "consul-ocsp-1.2.3~rc1-1.*.rpm"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages for rpm: %q, %v", found, err)
	}
	return deb, found[0]
}

// packagesHold checks what the packages say of themselves.
func packagesHold(t *testing.T, deb, rpm string) {
	t.Helper()
	debHolds, rpmHolds := packageTool(t, "dpkg-deb", "--contents", deb), packageTool(t, "rpm", "-qlp", rpm)
	for _, line := range packaged {
		path := line[strings.LastIndex(line, " ")+1:]
		if !strings.Contains(debHolds, " ."+path+"\n") && !strings.Contains(debHolds, " ."+path+"/\n") {
			t.Errorf("the .deb lacks %s", path)
		}
		if !strings.Contains(rpmHolds, path+"\n") {
			t.Errorf("the .rpm lacks %s", path)
		}
	}
	own := regexp.MustCompile(`^(/etc/consul-ocsp\.d|.*[/_]consul-ocsp[^/]*|/usr/share/doc/consul-ocsp/.*|/etc/consul-ocsp\.d/edge\.hcl\.example)$`)
	for path := range strings.Lines(rpmHolds) {
		if !own.MatchString(strings.TrimSpace(path)) {
			t.Errorf("the .rpm holds %s", path)
		}
	}
	const zsh = "/usr/share/zsh/vendor-completions/_consul-ocsp" // Debian's own place
	if !strings.Contains(debHolds, zsh) {
		t.Errorf("the .deb lacks %s", zsh)
	}
	if conf := packageTool(t, "dpkg-deb", "--info", deb, "conffiles"); conf != "/etc/consul-ocsp.d/edge.hcl.example\n" {
		t.Errorf("conffiles: %q", conf)
	}
	if conf := packageTool(t, "rpm", "-qp", "--configfiles", rpm); conf != "/etc/consul-ocsp.d/edge.hcl.example\n" {
		t.Errorf("configuration files of the .rpm: %q", conf)
	}
}

func packageTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}
