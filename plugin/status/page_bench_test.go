package status

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// watchFrames counts frames, and what a person would feel: how long the longest
// took, and the time in tasks of more than 50 ms, in which nothing can be drawn
// (https://www.w3.org/TR/longtasks-1/).
const watchFrames = `window.watch = () => {
  const seen = { frames: 0, longest: 0, blocked: 0, began: performance.now(), over: false };
  const tasks = new PerformanceObserver((list) => { for (const e of list.getEntries()) seen.blocked += e.duration; });
  tasks.observe({ type: "longtask" });
  let last = performance.now();
  const frame = (now) => {
    seen.frames++;
    seen.longest = Math.max(seen.longest, now - last);
    last = now;
    if (!seen.over) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  return () => { seen.over = true; tasks.disconnect(); return { ...seen, took: performance.now() - seen.began }; };
};
window.perFrame = (n, step) => new Promise((done) => {
  let i = 0;
  const next = () => (i < n ? (step(i++), requestAnimationFrame(next)) : done());
  requestAnimationFrame(next);
});
window.during = (work) => { const end = watch(); window.seen = null; Promise.resolve(work()).then(() => perFrame(3, () => {})).then(() => (window.seen = end())); return 0; }; 0`

// frames are what watchFrames saw.
type frames struct {
	Frames                 int
	Longest, Blocked, Took float64 // ms
}

// cpu is the processor time of the thread that draws, so far, in ms.
func (b *tab) cpu() float64 {
	b.t.Helper()
	var now float64
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		list, err := performance.GetMetrics().Do(ctx)
		for _, m := range list {
			if m.Name == "ThreadTime" {
				now = 1000 * m.Value
			}
		}
		return err
	}))
	return now
}

// BenchmarkPage shows a fleet of 10,000 certificates on 300 nodes in Chromium:
// frames a second, the longest, the share of the time in which nothing could be
// drawn, and, which neighbours on the machine don't disturb, the processor time
// of the thread that draws for each frame: 16 ms are 60 a second. For comparison, the same 10,000 rows in a plain table, as a page
// without virtual rows has them.
func BenchmarkPage(b *testing.B) {
	page := open(b, served(b, of(fleet(10_000, 300, time.Now()))))
	page.run(performance.Enable())
	typed := `document.getElementById("search")`
	typing := `perFrame(60, (i) => { const box = ` + typed + `; box.value = "site-0777".slice(0, Math.abs(9 - Math.floor(i / 3) % 18)); box.dispatchEvent(new Event("input", { bubbles: true })); })`
	for _, c := range []struct{ name, part, ready, work string }{
		{"timeline/wheel", "#timeline", `document.querySelector(".row")`, `perFrame(120, (i) => document.querySelector(".rows").scrollTop = i * 100)`},
		{"timeline/scroll", "#timeline", `document.querySelector(".row")`, `perFrame(120, (i) => document.querySelector(".rows").scrollTop = i * 900)`},
		{"timeline/jump", "#timeline", `document.querySelector(".row")`, `perFrame(120, (i) => document.querySelector(".rows").scrollTop = (i * 7919 % 10000) * 44)`},
		{"timeline/search", "#timeline", `document.querySelector(".row")`, typing},
		{"timeline/filter", "#timeline", `document.querySelector(".row")`, `perFrame(60, (i) => i % 6 || document.querySelectorAll(".tile")[i / 6 % 8].click())`},
		{"timeline/news", "#timeline", `document.querySelector(".row")`, `new Promise((done) => setTimeout(done, 12000))`},
		{"matrix/wheel", "#matrix", `document.querySelectorAll(".m-cell.ok").length > 50`, `perFrame(120, (i) => document.querySelector(".rows").scrollTop = i * 100)`},
		{"matrix/down", "#matrix", `document.querySelectorAll(".m-cell.ok").length > 50`, `perFrame(120, (i) => document.querySelector(".rows").scrollTop = i * 900)`},
		{"matrix/across", "#matrix", `document.querySelectorAll(".m-cell.ok").length > 50`, `perFrame(120, (i) => document.querySelector(".rows").scrollLeft = i * 70)`},
		{"matrix/search", "#matrix", `document.querySelectorAll(".m-cell.ok").length > 50`, typing},
		{"matrix/news", "#matrix", `document.querySelectorAll(".m-cell.ok").length > 50`, `new Promise((done) => setTimeout(done, 12000))`},
		{"plain-table/scroll", "#nodes", `document.querySelector(".row")`, plainTable},
	} {
		b.Run(c.name, func(b *testing.B) {
			began := time.Now()
			page.goTo(c.part)
			page.until(c.ready)
			shown := time.Since(began)
			page.run(chromedp.Evaluate(watchFrames, nil))
			var all frames
			cpu := -page.cpu()
			b.ResetTimer()
			for range b.N {
				page.run(chromedp.Evaluate(fmt.Sprintf("during(() => %s)", c.work), nil))
				page.until("window.seen")
				seen := value[frames](page, "window.seen")
				all.Frames += seen.Frames
				all.Longest = max(all.Longest, seen.Longest)
				all.Blocked += seen.Blocked
				all.Took += seen.Took
			}
			b.ReportMetric(float64(shown.Milliseconds()), "ms-until-shown")
			b.ReportMetric((cpu+page.cpu())/float64(all.Frames), "cpu-ms/frame")
			b.ReportMetric(float64(all.Frames)/all.Took*1000, "frames/s")
			b.ReportMetric(all.Longest, "ms-longest-frame")
			b.ReportMetric(100*all.Blocked/all.Took, "%-blocked")
		})
	}
}

// plainTable draws every row at once and scrolls it.
const plainTable = `fetch("/v1/status").then((r) => r.json()).then((report) => {
  const box = document.createElement("div");
  box.style.cssText = "position:fixed;inset:0;overflow:auto;background:Canvas";
  const table = box.appendChild(document.createElement("table"));
  for (const s of report.staples) {
    const row = table.insertRow();
    for (const text of [s.state, s.job + "/" + s.name, s.names.join(" "), s.this_update, s.until, s.nodes_current]) row.insertCell().textContent = text;
  }
  document.body.append(box);
  return perFrame(30, (i) => (box.scrollTop = i * 900)).then(() => box.remove());
})`
