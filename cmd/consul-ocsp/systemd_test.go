package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const systemdExample = "../../examples/haproxy-systemd"

// systemdTool runs one of systemd's programs that need no systemd, and is what
// it says.
func systemdTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: apt-get install systemd", name)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// unit are the settings of the example's service, in their order.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	return unitSettings(readText(t, filepath.Join(systemdExample, "consul-ocsp.service")))
}

func unitSettings(text string) map[string][]string {
	settings := map[string][]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			settings[name] = append(settings[name], value)
		}
	}
	return settings
}

// systemd has nothing to say against the unit, once its program is there, and
// finds that it is confined.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("consul-ocsp")
	if err != nil {
		t.Fatal(err)
	}
	const path = "/usr/local/bin/consul-ocsp"
	text := readText(t, filepath.Join(systemdExample, "consul-ocsp.service"))
	if !strings.Contains(text, "ExecStart="+path+" agent ") {
		t.Fatalf("ExecStart is not %s", path)
	}
	file := writeJob(t, filepath.Join(t.TempDir(), "consul-ocsp.service"), strings.ReplaceAll(text, path, program))
	if out := systemdTool(t, "systemd-analyze", "verify", file); out != "" {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
	systemdTool(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", file) // 2.0 of 10
	want := map[string]string{
		"Type": "notify", "User": "consul-ocsp", "Group": "haproxy", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
		"AmbientCapabilities": "CAP_DAC_READ_SEARCH", "CapabilityBoundingSet": "CAP_DAC_READ_SEARCH", "RestartPreventExitStatus": "2",
	}
	settings := unit(t)
	for name, value := range want {
		if !slices.Equal(settings[name], []string{value}) {
			t.Errorf("%s is %q; want %s", name, settings[name], value)
		}
	}
}

// The user, the group and the folders come to be, and may be there already.
func TestSystemdUserAndFolders(t *testing.T) {
	t.Parallel()
	example, err := filepath.Abs(systemdExample) // --root makes nothing of relative paths
	if err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(example, "consul-ocsp.sysusers")
	if os.Getuid() != 0 {
		systemdTool(t, "systemd-sysusers", "--dry-run", users) // the rest would change owners
		return
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		systemdTool(t, "systemd-sysusers", "--root="+root, users)
		systemdTool(t, "systemd-tmpfiles", "--root="+root, "--create", filepath.Join(example, "consul-ocsp.tmpfiles"))
	}
	var user, group int
	passwd := strings.Split(readText(t, filepath.Join(root, "etc/passwd")), ":")
	if len(passwd) != 7 || passwd[0] != "consul-ocsp" {
		t.Fatalf("users: %q", passwd)
	}
	if _, err := fmt.Sscan(passwd[2]+" "+passwd[3], &user, &group); err != nil {
		t.Fatal(err)
	}
	if groups := readText(t, filepath.Join(root, "etc/group")); !strings.HasPrefix(groups, fmt.Sprintf("haproxy:x:%d:", group)) {
		t.Errorf("the user's group is not haproxy: %s", groups)
	}
	info, err := os.Stat(filepath.Join(root, "etc/haproxy/certs"))
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	if int(stat.Uid) != user || int(stat.Gid) != group || info.Mode() != os.ModeDir|os.ModeSetgid|0o750 {
		t.Errorf("the certificates' folder is %v of %d:%d", info.Mode(), stat.Uid, stat.Gid)
	}
}

// The README speaks of all files of its folder, the job file is right, and what
// the unit says of its paths is what the agent takes for granted.
func TestSystemdExampleFiles(t *testing.T) {
	t.Parallel()
	readme := readText(t, filepath.Join(systemdExample, "README.md"))
	entries, err := os.ReadDir(systemdExample)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		installed := regexp.MustCompile(`(?m)^install .*\b` + regexp.QuoteMeta(e.Name()) + ` `)
		if e.Name() != "README.md" && !installed.MatchString(readme) {
			t.Errorf("the README does not install %s", e.Name())
		}
	}
	dir := t.TempDir()
	token := writeJob(t, filepath.Join(dir, "token"), "11111111-2222-3333-4444-555555555555")
	text := strings.ReplaceAll(readText(t, filepath.Join(systemdExample, "edge.hcl")), "/etc/consul-ocsp.d/token", token)
	job := writeJob(t, filepath.Join(dir, "edge.hcl"), text)
	if out, code := consulOCSP(t, "validate", "-config-file="+job); code != exitOK {
		t.Errorf("validate ends with %d: %s", code, out)
	}
	defaults := readText(t, "../../hclconfig/testdata/good/defaults.hcl")
	for setting, path := range map[string]string{
		"StateDirectory":   `data_dir = "/var/lib/%s"`,
		"RuntimeDirectory": `lock_dir = "/run/%s"`,
	} {
		if want := fmt.Sprintf(path, unit(t)[setting][0]); !strings.Contains(defaults, want) {
			t.Errorf("the default is not %s", want)
		}
	}
}

// A crash, and the watchdog's ABRT, must not look like a wrong job file, which
// the unit does not start again after.
func TestSystemdRestarts(t *testing.T) {
	t.Parallel()
	m := newManager(t, filepath.Join(t.TempDir(), "notify"))
	n := &node{dir: t.TempDir()}
	pem := newAuthority(t, testca.ResponderOptions{}).issue(t, filepath.Join(n.dir, "certs"), testca.IssueOptions{}, "www.example.test")[0].Path
	n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), fmt.Sprintf(alone+"job \"edge\" {\n  certificate \"www\" {\n    path = %q\n  }\n}\n",
		filepath.Join(n.dir, "data"), filepath.Join(n.dir, "lock"), pem))
	m.launch(t, n, unit(t)["Environment"]...)
	m.until(t, "READY")
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		t.Fatal(err)
	}
	n.agent.stop(t, syscall.SIGABRT)
	status := n.agent.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || !strings.Contains(n.agent.log.String(), "goroutine ") {
		t.Errorf("after ABRT it ends with %v", n.agent.cmd.ProcessState)
	}
	n.job = writeJob(t, filepath.Join(n.dir, "node.hcl"), "nonsense")
	m.launch(t, n, unit(t)["Environment"]...)
	<-n.agent.done
	if code := n.agent.cmd.ProcessState.ExitCode(); code != exitUsage {
		t.Errorf("with a wrong job file it ends with %d", code)
	}
}

// With the unit's user and its one capability an agent reads certificates that
// only root may read, and writes beside them; without the capability it says
// which it can't read. To give files away takes root; for anybody else the
// certificates are the user's own.
func TestSystemdRights(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "systemd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := newAuthority(t, testca.ResponderOptions{})
	certs := filepath.Join(dir, "certs")
	a.issue(t, certs, testca.IssueOptions{}, "www.example.test")
	n := &node{dir: dir}
	data := filepath.Join(dir, "data")
	n.job = writeJob(t, filepath.Join(dir, "node.hcl"), fmt.Sprintf(alone+`fetch {
  allow_private_addresses = true
}
job "edge" {
  certificates {
    paths = [%q]
  }
}
`, data, filepath.Join(dir, "lock"), certs))
	run := func(capability string) {
		n.agent = &running{cmd: exec.Command("consul-ocsp", "agent", "-config-file="+n.job), log: &logged{}, done: make(chan struct{})}
		if os.Getuid() == 0 {
			bin, err := os.MkdirTemp(dir, "bin")
			if err == nil {
				err = os.Chmod(bin, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
			program := copyProgram(t, n.agent.cmd.Path, filepath.Join(bin, "consul-ocsp"))
			n.agent.cmd = exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
				"--inh-caps=-all"+capability, "--ambient-caps=-all"+capability, "--bounding-set=-all"+capability,
				program, "agent", "-config-file="+n.job)
		}
		n.agent.cmd.Stdout, n.agent.cmd.Stderr = n.agent.log, n.agent.log
		n.agent.cmd.Env = cleanEnvironment()
		n.agent.begin(t)
	}
	if os.Getuid() == 0 {
		err = errors.Join(os.Chmod(dir, 0o755), os.Chmod(n.job, 0o644), os.Mkdir(data, 0o700), os.Chown(data, nobody, nobody),
			os.Chown(certs, nobody, nobody), os.Chmod(certs, 0o750|os.ModeSetgid))
		if err != nil {
			t.Fatal(err)
		}
		run("")
		n.agent.says(t, "permission denied")
		n.agent.stop(t, syscall.SIGTERM)
	}
	run(",+" + strings.ToLower(strings.TrimPrefix(unit(t)["AmbientCapabilities"][0], "CAP_")))
	eventually(t, "the staple's file", func() error {
		info, err := os.Stat(n.file("www.example.test"))
		if err == nil && info.Mode() != 0o644 {
			err = fmt.Errorf("its mode is %v", info.Mode())
		}
		return err
	})
	if code := n.agent.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("it ends with %d", code)
	}
}
