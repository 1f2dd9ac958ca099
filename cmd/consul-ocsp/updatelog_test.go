package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// updateLine is what a reader of HAProxy's log looks for, without the counts.
var updateLine = regexp.MustCompile(`<OCSP-UPDATE> (/\S+ [0-9] ".*") ([0-9]+) ([0-9]+)\s*$`)

// updates are the lines of a log, as path, number and text, each once.
func updates(log string) []string {
	var all []string
	for line := range strings.Lines(log) {
		if m := updateLine.FindStringSubmatch(line); m != nil && !slices.Contains(all, m[1]) {
			all = append(all, m[1])
		}
	}
	slices.Sort(all)
	return all
}

// Whoever reads HAProxy's own lines reads ours: those of HAProxy 3.0 and of an
// agent, for the same certificates and the same faults, say the same.
func TestUpdateLog(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, testca.ResponderOptions{})
	dir := t.TempDir()
	certs := filepath.Join(dir, "certs")
	want := map[string]string{
		"": `1 "Update successful"`, "404": `2 "HTTP error"`, "html": `3 "Missing "ocsp-response" header"`, "bad-signature": `4 "OCSP response check failure"`,
	}
	var lines, paths []string
	var responders []*authority
	for fault, text := range want {
		b := &authority{CA: a.CA, settle: func() {}}
		b.serve(t, a.Responder(testca.ResponderOptions{Fault: fault}))
		responders = append(responders, b)
		name := "www" + fault + ".example.test"
		b.issue(t, certs, testca.IssueOptions{}, name)
		paths = append(paths, filepath.Join(certs, name+".pem"))
		lines = append(lines, paths[len(paths)-1]+" "+text)
	}
	slices.Sort(lines)

	log := &logged{}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	go func() { // ends when the test closes packets
		b := make([]byte, 4096)
		for {
			n, _, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			fmt.Fprintf(log, "%s\n", strings.TrimSpace(string(b[:n])))
		}
	}()
	haproxytest.Start(t, haproxytest.Options{
		Binary: consultest.Binary(t, "haproxy-3.0"), Certs: paths,
		ExtraGlobal: "\tocsp-update.mode on\n\tlog " + packets.LocalAddr().String() + " local0",
	})
	eventually(t, "HAProxy's lines", func() error {
		if got := updates(log.String()); !slices.Equal(got, lines) {
			return fmt.Errorf("%q", got)
		}
		return nil
	})

	job := writeJob(t, filepath.Join(dir, "job.hcl"), fmt.Sprintf(alone, filepath.Join(dir, "data"), filepath.Join(dir, "lock"))+fmt.Sprintf(`log_ocsp_update = true
fetch {
  min_delay = "1s"
  max_delay = "1s"
}
job "edge" {
  certificates {
    paths = [%q]
  }
}
`, certs))
	agent := start(t, "agent", "-config-file="+job)
	eventually(t, "our lines", func() error {
		if got := updates(agent.log.String()); !slices.Equal(got, lines) {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	// The counts go up, and a start is no update.
	good := filepath.Join(certs, "www.example.test.pem")
	agent.says(t, "<OCSP-UPDATE> "+good+` 1 "Update successful" 0 3`)
	if n := strings.Count(agent.log.String(), good+` 1 "Update successful" 0 1`+"\n"); n != 1 {
		t.Errorf("the first update is said %d times", n)
	}
	for _, b := range responders {
		b.stop()
	}
	// By then what was fetched is in its file: what an agent is kept from writing is
	// an update of the next.
	agent.says(t, "<OCSP-UPDATE> "+good+` 2 "HTTP error" 1 `)
	agent.stop(t, os.Interrupt)
	again := start(t, "agent", "-config-file="+job)
	again.says(t, "<OCSP-UPDATE> "+good+` 2 "HTTP error" 1 0`)
	if strings.Contains(again.log.String(), "Update successful") {
		t.Errorf("what was there at the start is called an update:\n%s", again.log)
	}
}
