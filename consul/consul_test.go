package consul

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// patience is how long a test waits for what has to happen.
const patience = 60 * time.Second

// TestConsul runs everything that can share one server; each test has keys of
// its own.
func TestConsul(t *testing.T) {
	t.Parallel()
	s := consultest.Start(t)
	for name, test := range map[string]func(*testing.T, *consultest.Server){
		"Lead":                testLead,
		"TryLead":             testTryLead,
		"TakeOver":            testTakeOver,
		"LockTakenAway":       testLockTakenAway,
		"SessionGone":         testSessionGone,
		"RenewGone":           testRenewGone,
		"RawResponse":         testRawResponse,
		"LeadErrorReleases":   testLeadErrorReleases,
		"NewerFormat":         testNewerFormat,
		"Publish":             testPublish,
		"PublishNothing":      testPublishNothing,
		"PublishMany":         testPublishMany,
		"PublishUncertain":    testPublishUncertain,
		"PublishConflict":     testPublishConflict,
		"PublishPoisonedHead": testPublishPoisonedHead,
		"Fence":               testFence,
		"Reconcile":           testReconcile,
		"ReconcileForgery":    testReconcileForgery,
		"Guard":               testGuard,
		"Follow":              testFollow,
		"FollowRing":          testFollowRing,
		"FollowFirst":         testFollowFirst,
		"FollowGaps":          testFollowGaps,
		"FollowResync":        testFollowResync,
		"FollowHostile":       testFollowHostile,
		"FollowWake":          testFollowWake,
		"Start":               testStart,
		"FollowCost":          testFollowCost,
		"Announce":            testAnnounce,
		"AnnounceTogether":    testAnnounceTogether,
		"AnnounceHostile":     testAnnounceHostile,
		"Announced":           testAnnounced,
		"AnnouncedEnds":       testAnnouncedEnds,
		"AnnouncedHostile":    testAnnouncedHostile,
		"RemoveEnded":         testRemoveEnded,
		"Trouble":             testTrouble,
		"Names":               testNames,
		"Nodes":               testNodes,
		"SteadyState":         testSteadyState,
		"Snapshot":            testSnapshot,
		"Serve":               testServe,
		"ServeLost":           testServeLost,
		"LastSync":            testLastSync,
		"Requests":            testRequests,
		"RequestUnanswered":   testRequestUnanswered,
		"RequestsDelayNobody": testRequestsDelayNobody,
		"ReloadTurns":         testReloadTurns,
		"ReloadStops":         testReloadStops,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// newClient makes a client with keys of the test's own, and little patience.
func newClient(t *testing.T, s *consultest.Server, change ...func(*Config)) *Client {
	t.Helper()
	config := Config{
		Address: s.Address(), Token: s.Token(), Path: root(t), Logger: hclog.NewNullLogger(),
		SessionTTL: 10 * time.Second, LockDelay: time.Millisecond,
		Wait: 2 * time.Second, ResyncSplay: -1, Pause: func() time.Duration { return 50 * time.Millisecond },
	}
	for _, f := range change {
		f(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// root is the test's own root of keys.
func root(t *testing.T) string { return t.Name() + "/" }

// lead runs f as the leader of a term, and returns what TryLead does.
func lead(t *testing.T, c *Client, f func(ctx context.Context, term *Term)) {
	t.Helper()
	err := c.TryLead(t.Context(), record.Leader{Node: "leader"}, func(ctx context.Context, term *Term) error {
		f(ctx, term)
		return nil
	})
	if err != nil {
		t.Fatalf("lead: %v", err)
	}
}

// eventually waits until f says that all is well.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// during runs f beside the test, until the test or stop ends it; stop returns
// f's error.
func during(t *testing.T, f func(ctx context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	var running sync.WaitGroup
	running.Go(func() { err = f(ctx) }) // ends with ctx
	stop = func() error {
		cancel()
		running.Wait()
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// start is the time that the test's responses count from.
var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// testID is the id of a certificate that nobody needs.
func testID(n int) string { return record.Checksum(fmt.Append(nil, "certificate ", n)) }

// response is a well-formed record with this thisUpdate, in minutes after
// start; version makes others with the same times.
func response(id string, minute int, version ...string) record.Staple {
	der := fmt.Appendf(nil, "response for %s at %d %v", id, minute, version)
	this := start.Add(time.Duration(minute) * time.Minute)
	return record.Staple{ID: id, DER: der, Meta: record.Meta{
		SHA256: record.Checksum(der), Serial: "01", Status: "good", Names: []string{"example.test"},
		ThisUpdate: this, NextUpdate: this.Add(100 * 365 * 24 * time.Hour), Until: this.Add(100 * 365 * 24 * time.Hour),
	}}
}

// value reads a key as anybody would; nil if it is absent.
func value(t *testing.T, s *consultest.Server, key string) []byte {
	t.Helper()
	pair, _, err := s.Client().KV().Get(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if pair == nil {
		return nil
	}
	return pair.Value
}

// put writes a key by hand.
func put(t *testing.T, s *consultest.Server, key string, value []byte) {
	t.Helper()
	if _, err := s.Client().KV().Put(&api.KVPair{Key: key, Value: value}, nil); err != nil {
		t.Fatal(err)
	}
}

// headOf reads head, which must be readable.
func headOf(t *testing.T, s *consultest.Server, c *Client) record.Head {
	t.Helper()
	h, err := record.ParseHead(value(t, s, c.keys.head()))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// mirror is a leader's own store in memory.
type mirror struct {
	mu      sync.Mutex
	staples map[string]record.Staple
	refuse  map[string]bool // checksums
}

func newMirror(list ...record.Staple) *mirror {
	m := &mirror{staples: map[string]record.Staple{}, refuse: map[string]bool{}}
	for _, st := range list {
		m.staples[st.ID] = st
	}
	return m
}

func (m *mirror) Metas() (map[string]record.Meta, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	metas := map[string]record.Meta{}
	for id, st := range m.staples {
		metas[id] = st.Meta
	}
	return metas, nil
}

func (m *mirror) Staple(id string) (record.Staple, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st, ok := m.staples[id]
	return st, ok, nil
}

func (m *mirror) Learn(_ context.Context, st record.Staple) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse[st.Meta.SHA256] {
		return fmt.Errorf("forged")
	}
	if st.Meta.Supersedes(m.staples[st.ID].Meta) {
		m.staples[st.ID] = st
	}
	return nil
}
