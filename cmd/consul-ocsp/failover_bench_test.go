package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
)

// BenchmarkFailover is how long nobody publishes, at default settings: from the
// end of the leader, by SIGKILL and by SIGTERM, until another agent publishes.
func BenchmarkFailover(b *testing.B) {
	binary, server := built(b), consultest.Start(b)
	// read is the value of a key, nil where there is none or nobody answers.
	read := func(key string) []byte {
		pair, _, err := server.Client().KV().Get("consul-ocsp/v1/"+key, nil)
		if err != nil || pair == nil || key == "leader" && pair.Session == "" {
			return nil
		}
		return pair.Value
	}
	leader := func() string {
		var who struct {
			Node string `json:"node"`
		}
		_ = json.Unmarshal(read("leader"), &who)
		return who.Node
	}
	until := func(what string, done func() bool) {
		b.Helper()
		deadline := time.Now().Add(2 * time.Minute)
		for look := time.Tick(5 * time.Millisecond); !done(); <-look {
			if time.Now().After(deadline) {
				b.Fatal(what)
			}
		}
	}
	agents := map[string]*measured{}
	start := func(name string) {
		b.Helper()
		dir := b.TempDir()
		job := filepath.Join(dir, "job.hcl")
		text := fmt.Sprintf("roles = [\"fetch\"]\nnode_name = %q\ndata_dir = %q\nconsul {\n  address = %q\n}\n", name, filepath.Join(dir, "data"), server.Address())
		if err := os.WriteFile(job, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		agents[name] = startMeasured(b, binary, "agent", "-config-file="+job)
	}
	started := 0
	for _, end := range []struct {
		name   string
		signal syscall.Signal
	}{{"kill", syscall.SIGKILL}, {"term", syscall.SIGTERM}} {
		b.Run(end.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				for len(agents) < 2 {
					started++
					start(fmt.Sprint("agent-", started))
				}
				until("nobody leads", func() bool { return agents[leader()] != nil && read("head") != nil })
				// The other waits for the lock once it follows.
				for name, a := range agents {
					until("no record of "+name+"\n"+a.log.String(), func() bool { return read("node/"+name) != nil })
				}
				old, head := leader(), string(read("head"))
				b.StartTimer()
				agents[old].signal(end.signal)
				until("nobody published", func() bool {
					now := leader()
					return now != "" && now != old && !strings.HasPrefix(string(read("head")), head)
				})
				b.StopTimer()
				agents[old].kill()
				delete(agents, old)
				b.StartTimer()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
