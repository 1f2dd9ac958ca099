package writer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// bench is a CA, a folder of certificates, a data_dir and a Writer.
type bench struct {
	t      testing.TB
	ca     *testca.CA
	folder string
	data   *store.Store
	clock  *clock
	writer *Writer
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newBench(t testing.TB) *bench {
	t.Helper()
	ca := testcatest.Init(t, testca.InitOptions{})
	data, err := store.Open(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, ca: ca, folder: t.TempDir(), data: data, clock: &clock{now: time.Now().Truncate(time.Second)}}
	b.restart()
	return b
}

// restart makes a Writer that knows no more than data_dir and the files hold.
func (b *bench) restart(change ...func(*Config)) {
	c := Config{
		Store: b.data, Logger: hclog.NewNullLogger(), Now: b.clock.Now,
		EpochInterval: 5 * time.Millisecond, FirstRetry: 5 * time.Millisecond, LongestRetry: 20 * time.Millisecond,
	}
	for _, f := range change {
		f(&c)
	}
	b.writer = New(c)
}

// issue makes a certificate whose PEM lies in the folder.
func (b *bench) issue(name string) Certificate {
	b.t.Helper()
	i := testcatest.Issue(b.t, b.ca, testca.IssueOptions{File: filepath.Join(b.folder, name+".pem")}, name)
	return Certificate{
		ID: staple.ID(i.Leaf), Job: "edge", Name: name, Path: i.Path, Leaf: i.Leaf, Issuer: b.ca.Certificate(),
		IssuerInPEM: true, IssuerKnown: true, Names: []string{name}, WriteFile: true, WriteIssuer: true,
	}
}

// answer is a response whose thisUpdate is age ago, valid for an hour from now.
func (b *bench) answer(c Certificate, age time.Duration, change ...func(*testca.Answer)) []byte {
	b.t.Helper()
	now := b.clock.Now()
	a := testca.Answer{Serial: c.Leaf.SerialNumber, ThisUpdate: now.Add(-age), NextUpdate: now.Add(time.Hour)}
	for _, f := range change {
		f(&a)
	}
	return testcatest.Respond(b.t, b.ca, a)
}

// revoked makes an answer say revoked.
func revoked(a *testca.Answer) { a.Status = 1 }

// from is what Consul might hold: nothing in its meta is to be believed.
func from(c Certificate, der []byte) record.Staple {
	return record.Staple{ID: c.ID, DER: der, Meta: record.Meta{SHA256: record.Checksum(der), Status: "good", ThisUpdate: time.Now().Add(time.Minute)}}
}

func (b *bench) state(c Certificate) State {
	b.t.Helper()
	for _, s := range b.writer.States() {
		if s.Path == c.Path && s.Job == c.Job {
			return s
		}
	}
	b.t.Fatalf("no state for %s", c.Path)
	return State{}
}

// holds checks what a file holds; nil: that it is absent.
func (b *bench) holds(path string, want []byte) {
	b.t.Helper()
	got, err := os.ReadFile(path)
	switch {
	case want == nil && !os.IsNotExist(err):
		b.t.Fatalf("%s is there: %v", path, err)
	case want != nil && (err != nil || string(got) != string(want)):
		b.t.Fatalf("%s: %v, %d bytes, want %d others", path, err, len(got), len(want))
	}
}

// onlyResponses checks that HAProxy would load nothing of ours as a certificate
// and that no temporary file stayed.
func (b *bench) onlyResponses() {
	b.t.Helper()
	entries, err := os.ReadDir(b.folder)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name()[0] == '.' {
			b.t.Errorf("%s stayed", e.Name())
		}
	}
}

// feed is a Source by hand.
type feed struct {
	list    chan []record.Staple
	started chan struct{}
	woken   chan []string
	err     error
}

func newFeed() *feed {
	return &feed{list: make(chan []record.Staple), started: make(chan struct{}), woken: make(chan []string, 10)}
}

func (f *feed) Follow(ctx context.Context, ids func() []string, _ func(string) (record.Meta, bool),
	deliver func(context.Context, []record.Staple), wake <-chan struct{}) error {
	close(f.started)
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-f.list:
			if l == nil {
				return f.err
			}
			deliver(ctx, l)
		case <-wake:
			select {
			case f.woken <- ids():
			default: // nobody in the test asks how often
			}
		}
	}
}

// run starts the Writer and gives the function that stops it.
func (b *bench) run(src Source) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.writer.Run(ctx, src) }() // ends with ctx
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				b.t.Errorf("run: %v", err)
			}
		})
	}
	b.t.Cleanup(stop)
	return stop
}

// keeps waits until data_dir holds der and nothing else is on its way there.
func (b *bench) keeps(c Certificate, der []byte) {
	b.t.Helper()
	clocktest.Eventually(b.t, "data_dir to be told", func() bool {
		files := b.writer.run.files
		files.mu.Lock()
		defer files.mu.Unlock()
		return len(files.slots) == 0
	})
	if st, _, err := b.data.Staple(c.ID); err != nil || string(st.DER) != string(der) {
		b.t.Errorf("data_dir holds another response: %v", err)
	}
}

// recorder is a Target that keeps what it is told.
type recorder struct {
	name string

	mu    sync.Mutex
	told  map[string]Staple // by the certificate's name
	calls int
	epoch string
	fail  func(s Staple) error
	how   string
}

func newRecorder(name string) *recorder {
	return &recorder{name: name, told: map[string]Staple{}, how: "set"}
}

func (r *recorder) Name() string { return r.name }

func (r *recorder) Epoch(context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch, nil
}

func (r *recorder) Install(ctx context.Context, s Staple) (Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.fail != nil {
		if err := r.fail(s); err != nil {
			return Outcome{}, err
		}
	}
	r.told[s.Certificate.Name] = s
	return Outcome{How: r.how}, nil
}

func (r *recorder) has(name string, der []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told[name].Facts != nil && string(r.told[name].Facts.DER) == string(der)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

func (r *recorder) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

var errDown = fmt.Errorf("connection refused: %w", errors.New("down"))

// unknownIssuer strips what HAProxy could find the issuer by.
func unknownIssuer(c Certificate) Certificate {
	c.IssuerInPEM, c.IssuerKnown = false, false
	return c
}

func withIssuer(c Certificate, issuer *x509.Certificate) Certificate {
	c.Issuer = issuer
	return c
}
