package status

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func TestPage(t *testing.T) {
	t.Run("10,000 certificates", func(t *testing.T) { t.Parallel(); manyOnPage(t, open(t, served(t, of(fleet(10_000, 30, time.Now()))))) })
	t.Run("live", func(t *testing.T) {
		t.Parallel()
		now := of(fleet(60, 3, time.Now()))
		now.Load().Leader.Node = "haproxy-000.eu"
		b := open(t, served(t, now, elsewhere))
		b.goTo("")
		b.run(chromedp.Evaluate(`window.same = true`, nil))
		// What others know their pages show.
		b.run(chromedp.Evaluate(`location.hash = "responders"; 0`, nil))
		b.until(`document.querySelector("main a[href='http://haproxy-000.eu:8509/#responders']")`)
		id := record.Checksum(fmt.Append(nil, 3))
		b.run(chromedp.Evaluate(`location.hash = "timeline/`+id+`"; 0`, nil))
		for _, text := range []string{"haproxy-002.eu has no file with this certificate", "haproxy-002.eu: this node has not the certificate", "haproxy-002.eu does not ask the responders now: haproxy-000.eu does"} {
			b.until(`document.querySelector("dialog")?.textContent.includes("` + text + `")`)
		}
		b.until(`document.querySelector("dialog p a[href='http://haproxy-000.eu:8509/#timeline/` + id + `']")`)
		b.shoot("elsewhere")
		b.run(chromedp.KeyEvent(kb.Escape))
		next := *now.Load()
		next.Metas = maps.Clone(next.Metas)
		for id, m := range next.Metas {
			if m.Name == "site-00042" {
				m.Status, m.RevokedAt = "revoked", time.Now()
				next.Metas[id] = m
			}
		}
		now.Store(&next)
		b.until(labels + `.slice(0, 2).includes("edge/site-00042") && window.same`)
		b.server.Close()
		b.until(`document.querySelector('.banner')?.textContent.startsWith("No news: ") && document.querySelector('.row')`)
	})
	t.Run("hostile", func(t *testing.T) { t.Parallel(); hostileOnPage(t, open(t, served(t, of(markup(time.Now()))))) })
	t.Run("axe", func(t *testing.T) { t.Parallel(); axeOnPage(t, open(t, served(t, of(fleet(600, 30, time.Now()))))) })
}

// Rows are there as far as they can be seen; all are found, walked to and
// opened by the keyboard.
func manyOnPage(t *testing.T, b *tab) {
	b.goTo("")
	first := value[[]string](b, labels)
	if n := len(first); n < 10 || n > 60 {
		t.Errorf("%d rows in the document", n)
	}
	if got := value[string](b, `[...document.querySelectorAll('.row')].map(r => r.querySelector('.state.revoked') ? "r" : (r.querySelector('.state.ok') ? "o" : "f") + (r.querySelector('.must') ? "m" : "")).join(" ")`); !regexp.MustCompile(`^(r )+(fm( |$))*(f( |$))*(om( |$))*(o( |$))*$`).MatchString(got) {
		t.Errorf("the order is %s", got)
	}
	b.shoot("timeline-light")
	// To scroll makes no element: those of rows that leave are the ones that come.
	b.run(chromedp.Evaluate(`document.querySelector('.rows').scrollTop = 4000`, nil))
	b.until(labels + `.length > 0 && ![...document.querySelectorAll('.row')].some(r => r.ariaRowIndex == 5)`)
	b.run(chromedp.Evaluate(`document.querySelectorAll('.row').forEach(r => r.kept = true); document.querySelector('.rows').scrollTop = 40000`, nil))
	b.until(`[...document.querySelectorAll('.row')].some(r => r.ariaRowIndex == 920)`)
	if made := value[int](b, `[...document.querySelectorAll('.row')].filter(r => !r.kept).length`); made > 0 {
		t.Errorf("scrolling made %d rows anew", made)
	}
	const active = `document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))`
	b.run(chromedp.Focus(".rows"), chromedp.KeyEvent(kb.End))
	b.until(active + `?.ariaRowIndex == 10001 && ` + active + `.getBoundingClientRect().bottom <= innerHeight + 1`)
	b.run(chromedp.KeyEvent(kb.Home))
	b.until(active + `?.ariaRowIndex == 2`)
	b.run(chromedp.KeyEvent(kb.PageDown), chromedp.KeyEvent(kb.ArrowDown))
	b.until(active + `?.ariaRowIndex > 8`)
	b.run(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('dialog[open] table tbody tr')`)
	b.shoot("detail-light")
	b.run(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector('dialog') && document.activeElement.classList.contains('rows')`)

	b.run(chromedp.KeyEvent("/"), chromedp.KeyEvent("site-07777 edge"))
	b.until(labels + `.join() == "edge/site-07777"`)
	b.run(chromedp.Evaluate(`document.getElementById("search").select()`, nil), chromedp.KeyEvent("no such"))
	b.until(`document.querySelector('main').textContent.includes("Nothing fits")`)
	b.run(chromedp.Evaluate(`document.getElementById("search").select()`, nil), chromedp.KeyEvent(kb.Delete), chromedp.Click(".tile.failing"))
	b.until(`document.querySelector('.found').textContent.startsWith("40 of") && [...document.querySelectorAll('.row .state')].every(s => s.classList.contains("failing"))`)
	b.run(chromedp.Click(".tile.failing"))

	b.run(chromedp.Click(`a[href="#matrix"]`))
	b.until(`document.querySelectorAll('.m-cell.ok').length > 50`)
	b.shoot("matrix-light")
	if got := value[string](b, `document.querySelector('.row .m-cell').ariaLabel`); got != "haproxy-001.eu delivers an older one" && !strings.HasPrefix(got, "haproxy-001.eu ") {
		t.Errorf("the first cell is %q", got)
	}
}

// markup has HTML wherever a record has text.
func markup(now time.Time) *record.Snapshot {
	const evil = `<img src=x onerror="document.title='hurt'"><script>document.title='hurt'</script>`
	s := fleet(3, 1, now)
	for id, m := range s.Metas {
		m.Job, m.Name, m.Names, m.Serial, m.Responder, m.RevocationReason = evil, evil, []string{evil}, evil, "javascript:document.title='hurt'", evil
		m.Status, m.RevokedAt, m.Unstaplable = "revoked", now, []string{evil}
		s.Metas[id] = m
		s.Troubles[id] = record.Trouble{Reason: evil, Error: evil, Since: now}
		s.Nodes[evil] = record.Node{
			Node: evil, Page: "javascript:document.title='hurt'", Version: evil, Roles: []string{evil}, Seen: now, Troubles: 1,
			Trouble: []record.NodeTrouble{{ID: id, Job: evil, Name: evil, Target: evil, Reason: evil, Error: evil}},
		}
	}
	s.Leader.Node = evil
	s.Canaries["edge"] = record.Canary{Job: "edge", Name: evil, Round: record.CanaryRound{Nodes: map[string]record.CanaryNode{"n": {Error: evil}}, Failures: []record.CanaryFailure{{Reason: "canary-renew", Error: evil}}}}
	s.Unreadable = map[string]string{evil: evil}
	// The times that a calendar ends with must not bend the axis for the others.
	id := record.Checksum([]byte("strange"))
	s.Metas[id] = record.Meta{Status: "good", ThisUpdate: time.Unix(0, 0), Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	return s
}

func hostileOnPage(t *testing.T, b *tab) {
	id := slices.Sorted(maps.Keys(markup(time.Now()).Metas))[0]
	for _, part := range []string{"", "#timeline/" + id, "#matrix", "#nodes", "#nodes/%3Cimg", "#timeline/%", "#<img src=x onerror=alert(1)>"} {
		b.goTo(part)
		b.until(`document.body.textContent.includes("<img src=x onerror=")`)
		if got := value[string](b, `document.title + document.querySelectorAll("img, script:not([src]), a[href^=javascript]").length`); got != "consul-ocsp0" {
			t.Errorf("%s: %s", part, got)
		}
	}
}

// axe knows the rules of accessibility, as far as a program can tell.
func axeOnPage(t *testing.T, b *tab) {
	axe, err := os.ReadFile("testdata/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	// Of one certificate there is all, unfolded; the other has no history.
	dialog, bare := "#timeline/"+record.Checksum(fmt.Append(nil, 3)), "#timeline/"+record.Checksum(fmt.Append(nil, 5))
	for _, width := range []int64{1280, 360} {
		b.size(width, 740)
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			for _, part := range []string{"#timeline", "#matrix", "#nodes", "#responders", bare, dialog, "#nodes/haproxy-001.eu"} {
				b.goTo(part)
				if part == dialog {
					b.until(`document.querySelector("dialog")?.textContent.match(/published after 31m.*haproxy-002.eu.*not in time.*connection refused.*looked.*half within.*122 signed responses are kept/s)`)
					for tries := 0; !value[bool](b, `document.activeElement.tagName === "SUMMARY"`) && tries < 99; tries++ {
						b.run(chromedp.KeyEvent(kb.Tab))
					}
					b.run(chromedp.KeyEvent(kb.Enter))
					b.until(`document.querySelector("dialog details").open`)
				}
				if strings.HasPrefix(part, "#nodes/") {
					b.until(`document.querySelector("dialog .lead")?.textContent.match(/something is wrong there/)`)
				}
				if part == bare {
					b.until(`document.querySelector("dialog")?.textContent.match(/the response is good and lives.*no responses of this certificate are kept here: with fetch/s)`)
				}
				if strings.Contains(part, "/") {
					b.until(`document.querySelector("dialog[open]")?.getAnimations().length === 0`)
				}
				name := fmt.Sprintf("%s-%s-%d", strings.NewReplacer("#", "", "/", "-").Replace(part[:min(len(part), 16)]), scheme, width)
				b.shoot(name)
				b.shootAll(name+"-whole", width, 740)
				b.run(chromedp.Evaluate(string(axe)+"; 0", nil))
				b.run(chromedp.Evaluate(`axe.run(document, {resultTypes: ["violations"]}).then(r => { window.found = r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + n.failureSummary).join("; ")) }); 0`, nil))
				b.until(`window.found`)
				for _, fault := range value[[]string](b, `window.found`) {
					t.Errorf("%s: %s", name, fault)
				}
				if over := value[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("%s: %d pixels too wide", name, over)
				}
			}
		}
	}
}
