package plugin

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// newAgent is an agent of its own, with one certificate that nobody is asked
// about, and the configuration that it has.
func newAgent(t *testing.T) (*Agent, *hclconfig.Config) {
	t.Helper()
	dir := t.TempDir()
	ca := testcatest.Init(t, testca.InitOptions{})
	issued := testcatest.Issue(t, ca, testca.IssueOptions{}, "www.example.test")
	text := fmt.Sprintf("data_dir = %q\nlock_dir = %q\njob \"edge\" {\n  certificate \"www\" {\n    path = %q\n  }\n}\n",
		filepath.Join(dir, "data"), filepath.Join(dir, "lock"), issued.Path)
	cfg, err := hclconfig.Parse([]hclconfig.File{{Name: "job.hcl", Source: []byte(text)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Options{Version: "test", Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	return a, cfg
}

// runs runs an agent until the test ends.
func runs(t *testing.T, a *Agent) {
	t.Helper()
	var running sync.WaitGroup
	running.Go(func() { // ends with Stop
		if err := a.Run(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { a.Stop(); running.Wait() })
}

// alive waits for a sign of life.
func alive(t *testing.T, a *Agent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	text, err := a.Alive(ctx)
	if err != nil || !strings.Contains(text, "; stapled here: 0 of ") {
		t.Fatalf("Alive: %q, %v", text, err)
	}
}

// silent checks that there is no sign of life.
func silent(t *testing.T, a *Agent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*aliveAgain)
	defer cancel()
	if text, err := a.Alive(ctx); err == nil {
		t.Fatalf("it says %q", text)
	}
}

// An agent is alive when it runs, goes on to be while its parts are replaced,
// and no longer is when it was stopped.
func TestAlive(t *testing.T) {
	t.Parallel()
	a, cfg := newAgent(t)
	silent(t, a)
	runs(t, a)
	alive(t, a)
	other := *cfg
	other.NodeName = "other" // new parts
	if err := a.Reload(&other); err != nil {
		t.Fatal(err)
	}
	alive(t, a)
	if err := a.Reload(&other); err != nil {
		t.Fatal(err)
	}
	alive(t, a)
	a.Stop()
	<-a.stop
	// Its loops end soon.
	deadline := time.After(patience)
	for ended := false; !ended; {
		ctx, cancel := context.WithTimeout(t.Context(), aliveAgain)
		_, err := a.Alive(ctx)
		ended = err != nil
		cancel()
		select {
		case <-deadline:
			t.Fatal("it is alive after its end")
		default:
		}
	}
}

// A lock that is held for ever, as by a loop that hangs, leaves the agent
// without a sign of life.
func TestNotAlive(t *testing.T) {
	t.Parallel()
	a, _ := newAgent(t)
	runs(t, a)
	alive(t, a)
	p := a.parts()
	p.holding.mu.Lock()
	signs := make(chan error, 1)
	var asking sync.WaitGroup
	asking.Go(func() { // ends when the lock is free
		_, err := a.Alive(t.Context())
		signs <- err
	})
	select {
	case err := <-signs:
		t.Errorf("a sign of life: %v", err)
	case <-time.After(5 * aliveAgain):
	}
	p.holding.mu.Unlock()
	asking.Wait()
	if err := <-signs; err != nil {
		t.Error(err)
	}
}
