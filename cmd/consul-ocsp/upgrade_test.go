package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// upgrade is a cluster of a leader and a node whose programs change.
type upgrade struct {
	*cluster
	t        *testing.T
	leader   *running
	node     *node
	programs map[string]string // what each of the two runs
	files    map[string][]byte // the responses there have been, by certificate
	statuses map[string]string
	ids      map[string]string
	requests int64 // that the responder should have had
}

// TestUpgradeAndRollback changes the programs of a running cluster one after
// the other from the release before to this one, and back. All that each leaves
// in Consul and in data_dir is good for the other: nothing is fetched twice, what
// is served is served on, and what is new is delivered, with every pair of
// programs.
func TestUpgradeAndRollback(t *testing.T) {
	t.Parallel()
	before := consultest.Binary(t, "previous")
	now, err := exec.LookPath("consul-ocsp")
	if err != nil {
		t.Fatal(err)
	}
	u := newUpgrade(t)
	u.startLeader(before)
	u.startNode(before)
	for name := range u.statuses {
		u.delivered(name)
	}
	u.check("before")
	workers := u.workers()
	for i, step := range []struct {
		name  string
		start func(string)
		with  string
	}{
		{"the node's upgrade", u.startNode, now},
		{"the leader's upgrade", u.startLeader, now},
		{"the node's rollback", u.startNode, before},
		{"the leader's rollback", u.startLeader, before},
	} {
		step.start(step.with)
		u.add(fmt.Sprintf("new-%d.example.test", i), i%2 == 0)
		u.check(step.name)
		u.refresh()
		u.check(step.name + ", refreshed")
		u.sameWorkers(t, workers)
	}
}

// newUpgrade makes a HAProxy with one certificate that is good and one that is
// revoked.
func newUpgrade(t *testing.T) *upgrade {
	t.Helper()
	u := &upgrade{
		cluster: newCluster(t, newAuthority(t, testca.ResponderOptions{})), t: t, node: &node{name: "node-1", dir: t.TempDir()},
		programs: map[string]string{}, files: map[string][]byte{}, statuses: map[string]string{"www.example.test": "good", "api.example.test": "revoked"},
		ids: map[string]string{},
	}
	certs := filepath.Join(u.node.dir, "certs")
	for _, issued := range u.authority.issue(t, certs, testca.IssueOptions{}, "www.example.test", "api.example.test") {
		u.ids[issued.Leaf.DNSNames[0]] = staple.ID(issued.Leaf)
	}
	u.authority.revoke(t, "api.example.test")
	u.node.haproxy = haproxytest.Start(t, haproxytest.Options{Certs: []string{certs + "/"}})
	u.nodes = append(u.nodes, u.node)
	u.node.job = writeJob(t, filepath.Join(u.node.dir, "node.hcl"),
		u.head(t, u.node.name, `"deliver"`, u.node.dir)+fmt.Sprintf(nodeJob, certs, u.node.haproxy.Socket()))
	dir := t.TempDir()
	u.job = writeJob(t, filepath.Join(dir, "fetcher.hcl"), u.head(t, "fetcher", `"fetch"`, dir)+fmt.Sprintf(fetcherJob, ""))
	return u
}

// start runs another program with the same job file and data_dir.
func (u *upgrade) start(program, job string) *running {
	u.t.Helper()
	p := &running{cmd: exec.Command(program, "agent", "-config-file="+job, "-log-level=debug"), log: &logged{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(cleanEnvironment(), "GORACE=atexit_sleep_ms=0")
	p.begin(u.t)
	return p
}

func (u *upgrade) end(p *running) {
	u.t.Helper()
	if p == nil {
		return
	}
	if code := p.stop(u.t, syscall.SIGTERM); code != exitOK {
		u.t.Errorf("%s ends with %d", p.cmd.Path, code)
	}
}

// startLeader changes the leader's program. Meanwhile Consul loses every
// response: the leader's data_dir has them.
func (u *upgrade) startLeader(program string) {
	u.t.Helper()
	u.end(u.leader)
	for _, lost := range []string{"der/", "meta/"} {
		if _, err := u.consul.Client().KV().DeleteTree("consul-ocsp/v1/"+lost, nil); err != nil {
			u.t.Fatal(err)
		}
	}
	u.leader = u.start(program, u.job)
	u.programs["leader"] = program
	u.leader.says(u.t, "this agent leads")
}

// startNode changes the node's program. Meanwhile its files are lost.
func (u *upgrade) startNode(program string) {
	u.t.Helper()
	u.end(u.node.agent)
	for name := range u.files {
		if err := os.Remove(u.node.file(name)); err != nil {
			u.t.Fatal(err)
		}
	}
	u.node.agent = u.start(program, u.node.job)
	u.programs["node"] = program
}

// add puts one more certificate beside the node's others, and waits until it has
// its response.
func (u *upgrade) add(name string, revoked bool) {
	u.t.Helper()
	elsewhere := filepath.Join(u.node.dir, "elsewhere")
	issued := u.authority.issue(u.t, elsewhere, testca.IssueOptions{}, name)[0]
	u.ids[name] = staple.ID(issued.Leaf)
	u.statuses[name] = "good"
	if revoked {
		u.authority.revoke(u.t, name)
		u.statuses[name] = "revoked"
	}
	if err := os.Rename(issued.Path, u.node.certificate(name)); err != nil {
		u.t.Fatal(err)
	}
	u.delivered(name)
}

// delivered waits for a response in its file.
func (u *upgrade) delivered(name string) {
	u.t.Helper()
	eventually(u.t, name, func() error {
		b, err := os.ReadFile(u.node.file(name))
		if err == nil {
			u.files[name] = b
		}
		return err
	})
	u.requests++
}

// refresh has the leader fetch everything, by a command of its own version, until
// every response is a newer one: the times in responses are whole seconds.
func (u *upgrade) refresh() {
	u.t.Helper()
	eventually(u.t, "newer responses", func() error {
		cmd := exec.Command(u.programs["leader"], "fetch", "-force", "-config-file="+u.job)
		cmd.Env = cleanEnvironment()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("fetch -force: %w\n%s", err, out)
		}
		fetched := map[string][]byte{}
		for name, old := range u.files {
			b, err := u.response(name)
			if err != nil {
				return err
			}
			if !thisUpdate(u.t, b).After(thisUpdate(u.t, old)) {
				return fmt.Errorf("that of %s is as old", name)
			}
			fetched[name] = b
		}
		u.files = fetched
		return nil
	})
	u.requests = u.authority.requests.Load()
}

func thisUpdate(t *testing.T, response []byte) time.Time {
	t.Helper()
	r, err := ocsp.ParseResponse(response, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.ThisUpdate
}

// response is what Consul has for a certificate.
func (u *upgrade) response(name string) ([]byte, error) {
	pair, _, err := u.consul.Client().KV().Get("consul-ocsp/v1/der/"+u.ids[name], nil)
	if err != nil {
		return nil, err
	}
	if pair == nil {
		return nil, errors.New("nothing in Consul")
	}
	return pair.Value, nil
}

// check waits until every certificate has the very response it had in its file,
// in Consul and in HAProxy, and checks that nobody asked for it again.
func (u *upgrade) check(when string) {
	u.t.Helper()
	names := make([]string, 0, len(u.files))
	for name := range u.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		want := u.files[name]
		eventually(u.t, when+": "+name, func() error {
			got, err := os.ReadFile(u.node.file(name))
			if err == nil && !bytes.Equal(got, want) {
				err = errors.New("its file holds another response")
			}
			if err != nil {
				return err
			}
			got, err = u.response(name)
			if err == nil && !bytes.Equal(got, want) {
				err = errors.New("Consul has another response")
			}
			return err
		})
	}
	for _, name := range []string{"www.example.test", "api.example.test"} { // those that HAProxy has loaded
		stapled(u.t, u.node.haproxy.Address(), name, u.statuses[name])
	}
	u.asked(u.t, u.requests)
	for who, p := range map[string]*running{"leader": u.leader, "node": u.node.agent} {
		for line := range strings.Lines(p.log.String()) {
			if strings.Contains(line, "[ERROR]") && !strings.Contains(line, "certificate is revoked") {
				u.t.Errorf("%s: %s (%s) logs %s", when, who, u.programs[who], line)
			}
		}
	}
}
