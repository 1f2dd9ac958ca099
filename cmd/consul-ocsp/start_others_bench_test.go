package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/api/watch"
	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
)

// templated is how many certificates consul-template's node has: the command that
// pushes them starts two programs for each.
const templated = 1000

// laidOut is where the responses are in Consul for those who have no ids: by the
// names of their files.
const laidOut = "staples"

// layOut puts responses of this time for the first n certificates there.
func (s *starting) layOut(n int, this time.Time) {
	s.b.Helper()
	const most = 60
	var ops api.TxnOps
	for i, der := range s.answers(this)[:n] {
		key := laidOut + "/" + filepath.Base(s.issued[i].Path) + ".ocsp"
		ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVSet, Key: key, Value: der}})
		if len(ops) < most && i < n-1 {
			continue
		}
		ok, answer, _, err := s.server.Client().Txn().Txn(ops, nil)
		if err != nil || !ok {
			s.b.Fatalf("transaction: %v, %v", answer, err)
		}
		ops = nil
	}
}

// other is a new folder for what somebody else writes.
func (s *starting) other() string {
	s.b.Helper()
	folder, err := os.MkdirTemp(s.dir, "other")
	if err != nil {
		s.b.Fatal(err)
	}
	return folder
}

// startByKeyprefix has a keyprefix watch, by Consul's own library, whose handler
// writes all files and pushes each response over a connection of its own. It is
// the quickest that a handler can be: no program is started, nothing is verified
// or compared, and nothing is on the disk when it is done.
func (s *starting) startByKeyprefix(b *testing.B, this time.Time) {
	for b.Loop() {
		b.StopTimer()
		this = this.Add(10 * time.Second)
		s.layOut(len(s.issued), this)
		folder, log := s.other(), &logged{}
		plan, err := watch.Parse(map[string]any{"type": "keyprefix", "prefix": laidOut + "/"})
		if err != nil {
			b.Fatal(err)
		}
		plan.Handler = func(_ uint64, raw any) {
			pairs, _ := raw.(api.KVPairs)
			for _, pair := range pairs {
				if err := os.WriteFile(filepath.Join(folder, filepath.Base(pair.Key)), pair.Value, 0o644); err != nil {
					fmt.Fprintln(log, err)
				}
				if out, err := s.haproxy.Command("set ssl ocsp-response " + base64.StdEncoding.EncodeToString(pair.Value)); err != nil {
					fmt.Fprintln(log, out, err)
				}
			}
		}
		b.StartTimer()
		var watching sync.WaitGroup
		watching.Go(func() { _ = plan.RunWithClientAndHclog(s.server.Client(), hclog.NewNullLogger()) }) // ends with Stop
		s.complete(log, folder, len(s.issued), this)
		b.StopTimer()
		plan.Stop()
		watching.Wait()
		s.stapled(len(s.issued), this)
		b.StartTimer()
	}
	s.report(b, len(s.issued))
}

// pushAll is the command of a template: it pushes what HAProxy's documentation
// says, by the programs that it names.
const pushAll = `#!/bin/sh
for file in "$1"/*.ocsp; do
	echo "set ssl ocsp-response $(base64 -w 0 "$file")" | socat stdio "unix-connect:$2" >/dev/null
done
`

// startByTemplate has one consul-template render 1,000 files, and run a script
// that pushes them. Nothing is verified, and nothing is on the disk when it is
// done.
func (s *starting) startByTemplate(b *testing.B, this time.Time) {
	n := min(templated, len(s.issued))
	program := consultest.Binary(b, "consul-template")
	script := filepath.Join(s.dir, "push.sh")
	if err := os.WriteFile(script, []byte(pushAll), 0o700); err != nil {
		b.Fatal(err)
	}
	// The responses of the others are in Consul no more.
	if _, err := s.server.Client().KV().DeleteTree(laidOut+"/", nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		this = this.Add(10 * time.Second)
		s.layOut(n, this)
		folder, log := s.other(), &logged{}
		source := filepath.Join(folder, "all.ctmpl")
		text := fmt.Sprintf(`{{ range ls %q }}{{ .Value | writeToFile (printf "%s/%%s" .Key) "" "" "0644" }}{{ .Key }}
{{ end }}`, laidOut, folder)
		if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command(program, "-consul-addr="+s.server.Address(), "-log-level=warn",
			fmt.Sprintf("-template=%s:%s/all:%s %s %s", source, folder, script, folder, s.haproxy.Socket()))
		cmd.Stdout, cmd.Stderr, cmd.Env = log, log, cleanEnvironment()
		b.StartTimer()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		s.complete(log, folder, n, this)
		b.StopTimer()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		s.stapled(n, this)
		b.StartTimer()
	}
	s.report(b, n)
	b.ReportMetric(float64(n), "certificates")
}
