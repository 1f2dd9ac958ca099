package status

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// patience is how long a browser may take for anything, on a machine that is busy.
const patience = 3 * time.Minute

// browser is a headless Chromium with nothing in it.
func browser(t testing.TB) context.Context {
	t.Helper()
	// Chromium's children write for a while after it: t.TempDir would complain.
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()),
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(profile),
		chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	t.Cleanup(cancel)
	most := patience
	if _, many := t.(*testing.B); many {
		most *= 10
	}
	ctx, cancel = context.WithTimeout(ctx, most)
	t.Cleanup(cancel)
	// Of events that it does not know chromedp need not speak: browsers get new ones.
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("no Chromium (testdata/tools/install installs it): %v", err)
	}
	return ctx
}

// tab is the page that a browser shows, and what is wrong in it.
type tab struct {
	t      testing.TB
	ctx    context.Context
	server *httptest.Server

	mu     sync.Mutex
	faults []string
}

// open shows the handler's page. Whatever the browser complains of fails the
// test, and so does a request to anybody else.
func open(t testing.TB, h http.Handler) *tab {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	ctx := browser(t)
	b := &tab{t: t, ctx: ctx, server: server}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.fault("exception: " + e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				text, _ := json.Marshal(e.Args)
				b.fault("console: " + string(text))
			}
		case *network.EventRequestWillBeSent:
			if url := e.Request.URL; !strings.HasPrefix(url, server.URL+"/") && url != "data:," {
				b.fault("asks elsewhere: " + url)
			}
		}
	})
	b.run(network.Enable(), runtime.Enable())
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, f := range b.faults {
			t.Error(f)
		}
	})
	b.size(1280, 800)
	return b
}

func (b *tab) fault(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, text)
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) size(width, height int64) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height), emulation.SetFocusEmulationEnabled(true))
}

func (b *tab) scheme(name string) {
	b.t.Helper()
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}))
}

// goTo shows a part of the page, once the first answer is there.
func (b *tab) goTo(part string) {
	b.t.Helper()
	b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(b.server.URL+"/"+part))
	b.until(`document.querySelector('.row')`)
}

// until waits for what a script says. The page's policy forbids chromedp's own
// Poll, which evaluates within the page.
func (b *tab) until(script string) {
	b.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	over := time.After(patience / 3)
	for !value[bool](b, "!!("+script+")") {
		select {
		case <-again.C:
		case <-over:
			b.shoot("fault")
			b.t.Fatalf("not in time: %s\n%s", script, value[string](b, `"hidden: " + document.hidden + "; " + (document.querySelector("dialog") || document.body).innerText.slice(-1500)`))
		}
	}
}

func value[T any](b *tab, script string) T {
	b.t.Helper()
	var got T
	b.run(chromedp.Evaluate(script, &got))
	return got
}

// shoot keeps a picture where PAGE_SHOTS says, for somebody to look at.
func (b *tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.run(chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(dir+"/"+name+".png", png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// shootAll keeps a picture of all of a dialog, if one is open and PAGE_SHOTS says
// where.
func (b *tab) shootAll(name string, width, height int64) {
	b.t.Helper()
	if os.Getenv("PAGE_SHOTS") == "" || !value[bool](b, `!!document.querySelector("dialog")`) {
		return
	}
	b.size(width, value[int64](b, `document.querySelector("dialog").scrollHeight`))
	b.shoot(name)
	b.size(width, height)
}

// labels are the certificates or nodes in sight, from the top.
const labels = `[...document.querySelectorAll('.row')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map(r => r.querySelector('b').textContent)`

// fleet has n certificates, some of them in trouble, on some nodes, and what is
// hostile among them.
func fleet(n, nodes int, now time.Time) *record.Snapshot {
	s := &record.Snapshot{
		Format: 1, Generation: 42, Leader: &record.Leader{Node: "fetch-1", Version: "0.1.0", Since: now.Add(-day)},
		Metas: map[string]record.Meta{}, Troubles: map[string]record.Trouble{}, Nodes: map[string]record.Node{},
	}
	var list []record.Applied
	for i := range n {
		id := record.Checksum(fmt.Append(nil, i))
		name := fmt.Sprintf("site-%05d", i)
		// Asked for at half of its life, each is younger than that.
		age := time.Duration(i%997) * 84 * time.Hour / 997
		m := record.Meta{
			Format: record.Format, SHA256: id, Serial: id[:32], Issuer: "CN=Test CA", Status: "good", Job: "edge", Name: name,
			Names: []string{name + ".example.com", "www." + name + ".example.com"}, Responder: "http://ocsp.example.net",
			ThisUpdate: now.Add(-age), NextUpdate: now.Add(7*day - age), Until: now.Add(7*day - age), MustStaple: i%37 == 5,
		}
		switch {
		case i%1000 == 17:
			m.Status, m.RevokedAt, m.RevocationReason = "revoked", now.Add(-2*time.Hour), "keyCompromise"
		case i%250 == 18:
			m.ThisUpdate, m.Until, m.NextUpdate = now.Add(-6*day), now.Add(day), now.Add(day)
			s.Troubles[id] = record.Trouble{Reason: "timeout", Error: "http://ocsp.example.net: no answer within 10s", Since: now.Add(-3 * day), Failures: 41}
		case i%250 == 19:
			s.Troubles[id] = record.Trouble{Reason: "http-status", Error: "503 Service Unavailable", Since: now.Add(-time.Hour), Failures: 4}
		case i%500 == 20:
			s.Troubles[id] = record.Trouble{Reason: "unauthorized", Error: "unauthorized", Since: now.Add(-time.Hour), Failures: 3, Job: "edge", Name: name, Names: m.Names}
			continue
		case i%500 == 21:
			m.ThisUpdate, m.Until, m.NextUpdate = now.Add(-8*day), now.Add(-day), now.Add(-day)
		}
		s.Metas[id] = m
		list = append(list, record.Applied{ID: id, ThisUpdate: m.ThisUpdate, Status: m.Status})
	}
	round := record.CanaryRound{
		Started: now.Add(-9 * time.Hour), Phase: record.CanaryEnded, Published: now.Add(-9*time.Hour + 31*time.Minute), Renewed: now.Add(-8 * time.Hour), Ended: now.Add(-7 * time.Hour),
		Nodes: map[string]record.CanaryNode{}, Failures: []record.CanaryFailure{{Reason: "canary-unseen", Error: "haproxy-002.eu: connection refused", At: now.Add(-7 * time.Hour)}},
	}
	s.Canaries = map[string]record.Canary{"edge": {Job: "edge", Name: "site-00003", Round: round}}
	for i := range nodes {
		name := fmt.Sprintf("haproxy-%03d.eu", i)
		round.Nodes[name] = record.CanaryNode{Applied: round.Published.Add(time.Second), Seen: round.Published.Add(1200 * time.Millisecond), Good: round.Renewed.Add(time.Minute)}
		if i == 2 {
			round.Nodes[name] = record.CanaryNode{Error: "dial tcp 127.0.0.1:443: connect: connection refused"}
		}
		node := record.Node{
			Format: record.Format, Node: name, Instance: "i", Version: "0.1.0", Roles: []string{"deliver"}, Seen: now.Add(-time.Minute),
			Started: now.Add(-48 * time.Hour), Certificates: n, Stapled: len(list), Applied: list,
		}
		if i%3 == 0 {
			node.Page = fmt.Sprintf("http://haproxy-%03d.eu:8509/", i)
		}
		if i%4 == 1 && len(list) > 30 {
			behind := append([]record.Applied{}, list[:len(list)-9]...)
			for k := range behind[:30] {
				behind[k].ThisUpdate = behind[k].ThisUpdate.Add(-day)
			}
			node.Applied, node.Stapled, node.Troubles = behind, len(behind), 1
			node.Trouble = []record.NodeTrouble{{
				ID: list[3].ID, Job: "edge", Name: "site-00003", Target: "haproxy", Reason: "permission",
				Error: "/run/haproxy/admin.sock: permission denied", Since: now.Add(-time.Hour),
			}}
		}
		s.Nodes[name] = node
	}
	return s
}

// served is a handler of the snapshot that may be replaced meanwhile, with what
// the agent behind it knows besides, but for what is changed.
func served(t testing.TB, now *atomic.Pointer[record.Snapshot], change ...func(*HandlerOptions)) http.Handler {
	t.Helper()
	ok := func(context.Context) Health { return Health{OK: true} }
	o := HandlerOptions{
		Read: func(context.Context) (*Report, error) { return FromSnapshot(now.Load(), time.Now()), nil },
		Live: ok, Ready: ok, Own: owned, Here: looked, History: keptOf, Responders: askedBefore(),
	}
	for _, c := range change {
		c(&o)
	}
	return Handler(t.Context(), o)
}

func of(s *record.Snapshot) *atomic.Pointer[record.Snapshot] {
	p := &atomic.Pointer[record.Snapshot]{}
	p.Store(s)
	return p
}
