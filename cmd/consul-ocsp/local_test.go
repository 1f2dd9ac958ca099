package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Without Consul, status shows the configured certificates for which nothing
// was fetched, and what the agent says of itself, such as a clock that is off.
func TestStatusWithoutConsul(t *testing.T) {
	t.Parallel()
	n := newAlone(t, newAuthority(t, testca.ResponderOptions{Fault: "date-ahead"}), haproxytest.Options{}, www)
	for _, want := range []struct {
		code int
		args []string
		says string
	}{
		{exitOK, nil, "1 staple: 1 missing"},
		{exitOK, nil, "nothing was fetched for it yet, and nothing failed"},
		{1, []string{"-check"}, "WARNING edge/" + www + " (" + www + "): missing; waiting"},
		{exitOK, []string{"-json"}, `"reason": "waiting"`},
	} {
		out, code := consulOCSP(t, append([]string{"status", "-config-file=" + n.job}, want.args...)...)
		if code != want.code || !strings.Contains(out, want.says) {
			t.Errorf("status %q before anything ran: %d, want %d and %q:\n%s", want.args, code, want.code, want.says, out)
		}
	}
	n.start(t)
	stapled(t, n.haproxy.Address(), www, "good")
	statusSays(t, n.job, "1 node: 1 trouble")
	// What it says first may be that it waits for the response.
	eventually(t, "the clock", func() error {
		out, code := consulOCSP(t, "status", "-check", "-config-file="+n.job)
		if code != 1 || !allIn(out, []string{"1 of 1 node", "responder 127.0.0.1:", "clock: its Date is ", " ahead of our clock"}) {
			return fmt.Errorf("status -check ends with %d; want 1 for the clock:\n%s", code, out)
		}
		return nil
	})
}
