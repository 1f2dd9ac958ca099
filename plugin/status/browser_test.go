package status

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
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
