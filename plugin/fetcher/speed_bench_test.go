package fetcher

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
	"golang.org/x/sys/unix"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// rounds is how often each is measured; medians count.
const rounds = 3

// BenchmarkTenThousand fetches, verifies and stores (durably, in a data_dir) 10,000 responses of a responder that answers
// at once and shares the machine. Beside it, in turns, stands the least that a Go program can do: eight workers that
// fetch and check with x/crypto, and keep nothing. By-CPU is what two processors could do that have nothing else to do, by
// the processor time that was used.
func BenchmarkTenThousand(b *testing.B) {
	f := newFleet(b, 10000, 0)
	var ours, bare, oursCPU, bareCPU []float64
	for range rounds {
		speed, cpu := f.measure(f.bareLoop)
		bare, bareCPU = append(bare, speed), append(bareCPU, cpu)
		speed, cpu = f.measure(func() { f.pass(b.Context(), b.TempDir()) })
		ours, oursCPU = append(ours, speed), append(oursCPU, cpu)
	}
	b.ReportMetric(median(ours), "certificates/s")
	b.ReportMetric(median(bare), "bare-loop/s")
	b.ReportMetric(median(ours)/median(bare), "of-bare-loop")
	b.ReportMetric(2e6/median(oursCPU), "certificates/s-by-CPU")
	b.ReportMetric(2e6/median(bareCPU), "bare-loop/s-by-CPU")
	b.ReportMetric(0, "ns/op")
}

// fleet is many certificates of one CA, and a responder that has signed for all of them before.
type fleet struct {
	b       testing.TB
	issuer  *x509.Certificate
	issued  []*testca.Issued // as targets
	caFile  string
	asked   *asked
	targets []Target
	client  *responder.Client
}

func newFleet(b *testing.B, n int, delay time.Duration) *fleet {
	b.Helper()
	ca := testcatest.Init(b, testca.InitOptions{})
	signing := ca.Responder(testca.ResponderOptions{Validity: 24 * time.Hour})
	signed := map[string][]byte{} // by the path of a GET
	a := &asked{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			path = "/" + base64.StdEncoding.EncodeToString(body)
		}
		a.begin()
		if delay > 0 {
			<-time.After(delay)
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		w.Write(signed[path])
		a.end()
	}))
	b.Cleanup(server.Close)
	issued := testcatest.IssueMany(b, ca, testca.IssueOptions{Responders: []string{server.URL}}, n, "c%d.example.com")
	f := &fleet{b: b, issuer: ca.Certificate(), issued: issued, caFile: filepath.Join(ca.Dir(), "ca.pem"), asked: a, client: responder.New(responder.Config{})}
	b.Cleanup(f.client.Close)
	for _, c := range issued {
		// A leader proves who issued a certificate when it is announced.
		pair, err := announced(staple.ID(c.Leaf), record.Certificate{Leaf: c.Leaf.Raw, Issuer: f.issuer.Raw}, nil, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		f.targets = append(f.targets, Target{ID: staple.ID(c.Leaf), Leaf: c.Leaf, Issuer: f.issuer, pair: pair.On(c.Leaf, f.issuer), Name: c.Name,
			Settings: Settings{Concurrency: 128, Rate: 10000}})
		request := httptest.NewRequest(http.MethodGet, f.question(c.Leaf), nil)
		answer := httptest.NewRecorder()
		signing.ServeHTTP(answer, request)
		signed[request.URL.Path] = answer.Body.Bytes()
	}
	return f
}

// question is the URL by which a certificate is asked for.
func (f *fleet) question(leaf *x509.Certificate) string {
	der, err := ocsp.CreateRequest(leaf, f.issuer, nil)
	if err != nil {
		f.b.Fatal(err)
	}
	return leaf.OCSPServer[0] + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(der))
}

// measure is how many certificates a second it does, and how many microseconds
// of processor time each takes, the responder's share included.
func (f *fleet) measure(do func()) (speed, cpu float64) {
	used, began := processorTime(f.b), time.Now()
	do()
	n := float64(len(f.targets))
	speed = n / time.Since(began).Seconds()
	return speed, float64((processorTime(f.b) - used).Microseconds()) / n
}

func processorTime(b testing.TB) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// pass fetches, verifies and stores all as the agent does without Consul.
func (f *fleet) pass(ctx context.Context, dir string) {
	s, err := store.Open(dir)
	if err != nil {
		f.b.Fatal(err)
	}
	f.passTo(ctx, s, s, f.targets)
}

func (f *fleet) passTo(ctx context.Context, s Store, p Publisher, targets []Target) {
	fetcher := New(Config{Store: s, Publisher: p, Client: f.client})
	fetcher.Set(targets)
	for _, r := range fetcher.Pass(ctx, PassOptions{}) {
		if r.Outcome != Fetched {
			f.b.Fatal(r.Err)
		}
	}
}

// asked is what a responder sees of a round.
type asked struct {
	mu          sync.Mutex
	first, last time.Time
	answers     int
}

func (a *asked) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.first.IsZero() {
		a.first = time.Now()
	}
}

func (a *asked) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers++
	a.last = time.Now()
}

func (a *asked) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.first, a.last, a.answers = time.Time{}, time.Time{}, 0
}

// took is how long the round took, once there were so many answers.
func (a *asked) took(answers int) (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last.Sub(a.first), a.answers >= answers
}

// bareLoop fetches all and checks them with x/crypto.
func (f *fleet) bareLoop() {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() { // ends when all are asked
			for i := int(next.Add(1)) - 1; i < len(f.targets); i = int(next.Add(1)) - 1 {
				if err := f.bare(client, f.targets[i].Leaf); err != nil {
					f.b.Error(err)
				}
			}
		})
	}
	workers.Wait()
}

func (f *fleet) bare(client *http.Client, leaf *x509.Certificate) error {
	resp, err := client.Get(f.question(leaf))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	der, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	_, err = ocsp.ParseResponseForCert(der, leaf, f.issuer)
	return err
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
