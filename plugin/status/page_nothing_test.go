package status

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Where there is nothing to show the page says so, and why, below its headings.
func TestPageWithNothing(t *testing.T) {
	t.Parallel()
	now := of(fleet(0, 0, time.Now()))
	var alone atomic.Bool
	b := open(t, served(t, now, func(o *HandlerOptions) {
		cluster := o.Read
		o.Read = func(ctx context.Context) (*Report, error) {
			if alone.Load() {
				return FromStore(nil, nil, nil, nil, time.Now()), errors.New("consul does not answer")
			}
			return cluster(ctx)
		}
	}))
	b.run(chromedp.Navigate(b.server.URL + "/"))
	for _, part := range []string{"timeline", "matrix", "nodes"} {
		b.run(chromedp.Evaluate(`location.hash = "`+part+`"; 0`, nil))
		b.until(`document.querySelector("main.` + part + ` .rows + .none")`)
		text := value[string](b, `document.querySelector(".rows + .none").textContent`)
		if want := map[bool]string{true: "No node has said", false: "No certificate is known"}[part == "nodes"]; !strings.HasPrefix(text, want) {
			t.Errorf("%s says %q", part, text)
		}
		for _, width := range []int64{1280, 390} {
			b.size(width, 800)
			b.shoot("nothing-" + part)
			b.until(`(([rows, none]) => none.top - rows.top < 250 && none.top >= rows.bottom)([...document.querySelectorAll(".rows, .rows + .none")].map((e) => e.getBoundingClientRect()))`)
		}
	}

	// An address that somebody sent may be of what is gone.
	b.run(chromedp.Evaluate(`location.hash = "timeline/`+id("e")+`"; 0`, nil))
	b.until(`document.querySelector("main .banner")?.textContent.includes("No certificate with the id ` + id("e") + `")`)
	b.run(chromedp.Click("main .banner a"))
	b.until(`location.hash === "#timeline" && !document.querySelector("main .banner")`)
	b.run(chromedp.Evaluate(`location.hash = "nodes/haproxy-9"; 0`, nil))
	b.until(`document.querySelector("main .banner")?.textContent.includes("No node haproxy-9 is known")`)

	// One certificate alone: what stands on its axis is all to be read.
	now.Store(fleet(1, 1, time.Now()))
	b.run(chromedp.Evaluate(`location.hash = "timeline"; 0`, nil))
	b.until(`document.querySelector(".row")`)
	b.until(`(([axis, ...ticks]) => ticks.length > 1 && ticks.every((t) => t.left >= axis.left && t.right <= axis.right))([...document.querySelectorAll(".crowd, .tick")].map((e) => e.getBoundingClientRect()))`)
	b.shoot("one")

	// How many nodes there are is not known here.
	const count = `document.querySelector("nav a[href='#nodes'] small")`
	b.until(count + `.textContent === "1"`)
	alone.Store(true)
	b.until(`document.querySelector(".banner")?.textContent.startsWith("What this node has alone") && !` + count)

	// The agent's end is not told in a browser's words.
	b.server.Close()
	b.until(`document.querySelector(".banner")?.textContent === "No news: this agent does not answer"`)
}
