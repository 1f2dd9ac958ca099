package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const templateExample = "../../examples/consul-template"

// The example of consul-template works word by word.
func TestTemplateExample(t *testing.T) {
	t.Parallel()
	dir := copyExample(t, templateExample, "8888", "8500", "8300", "8301", "8443")
	out := runExample(t, dir, shellBlocks(readText(t, filepath.Join(dir, "README.md"))))

	good := `stapled and verified: good\nrun/certs/www.pem: good\n`
	form := regexp.MustCompile(`^run/ca/ca.pem\n` + good + good + `\S+Z reloaded\n` + good + `rendered 6 times, reloaded ([0-9]) times\n$`)
	match := form.FindStringSubmatch(out)
	if match == nil {
		t.Fatalf("its output does not fit %s:\n%s", form, out)
	}
	// One before, then one at once, and one after each pause of ten seconds.
	if reloads, err := strconv.Atoi(match[1]); err != nil || reloads < 2 || reloads > 5 {
		t.Errorf("it was reloaded %d times for six certificates", reloads)
	}
	if _, err := os.Stat(filepath.Join(dir, "run")); !os.IsNotExist(err) {
		t.Errorf("it leaves its folder behind: %v", err)
	}
}

// The example's script reloads HAProxy at once, folds what comes within the
// pause into one more reload, reloads for nothing that HAProxy would refuse, and
// never fails or waits.
func TestTemplateExampleReload(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, testca.ResponderOptions{})
	certs := filepath.Join(t.TempDir(), "certs")
	a.issue(t, certs, testca.IssueOptions{}, www)
	h := haproxytest.Start(t, haproxytest.Options{MasterWorker: true, Certs: []string{certs + "/"}})
	dir := copyExample(t, templateExample)
	run := filepath.Join(dir, "run")
	for _, err := range []error{
		os.Mkdir(run, 0o700),
		os.Remove(filepath.Join(dir, "haproxy.cfg")), os.Symlink(h.ConfigFile(), filepath.Join(dir, "haproxy.cfg")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	bin := exampleBin(t, haproxytest.Binary(t))
	reload := func(times int) {
		t.Helper()
		for range times {
			cmd := exec.Command(filepath.Join(dir, "reload.sh"))
			cmd.Env = append(cleanEnvironment(), "RUN="+run, "PAUSE=3", "PATH="+bin+":"+os.Getenv("PATH"))
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 || time.Since(began) > 2*time.Second {
				t.Errorf("reload.sh: %v after %s: %s", err, time.Since(began), out)
			}
		}
	}
	logged := func(what string, times int) {
		t.Helper()
		eventually(t, "reload.log", func() error {
			text, err := os.ReadFile(filepath.Join(run, "reload.log"))
			if got := strings.Count(string(text), what); got != times {
				return fmt.Errorf("%d times %q, not %d; %v\n%s", got, what, times, err, text)
			}
			return nil
		})
	}

	reload(1)        // nothing is there to be reloaded, and nothing is said
	idle := func() { // until no call is under way
		t.Helper()
		locks := []string{filepath.Join(run, "reload.next"), filepath.Join(run, "reload.last")}
		for _, lock := range locks {
			if out, err := exec.Command("flock", "-w", "30", lock, "true").CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", lock, err, out)
			}
		}
	}
	eventually(t, "reload.last", func() error { _, err := os.Stat(filepath.Join(run, "reload.last")); return err })
	idle()
	if _, err := os.Stat(filepath.Join(run, "reload.log")); !os.IsNotExist(err) {
		t.Errorf("something was done to a HAProxy that does not run: %v", err)
	}
	if err := os.Symlink(h.MasterSocket(), filepath.Join(run, "master.sock")); err != nil {
		t.Fatal(err)
	}

	first := h.PID()
	reload(1)
	logged("Z reloaded", 1)
	reload(20)
	logged("Z reloaded", 2)
	idle()
	logged("Z reloaded", 2)
	h.Settle()
	eventually(t, "HAProxy's process", func() error {
		if h.PID() == first {
			return fmt.Errorf("it is still %d", first)
		}
		return nil
	})

	// A broken certificate: the old process goes on.
	before := h.PID()
	writeJob(t, filepath.Join(certs, "broken.pem"), "no certificate\n")
	reload(1)
	logged("Z not reloaded, HAProxy would refuse this: ", 1)
	if h.PID() != before {
		t.Error("HAProxy was reloaded with a configuration that it refuses")
	}
}
