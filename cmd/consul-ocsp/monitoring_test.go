package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const monitoring = "../../examples/monitoring"

// prometheus is a real one, with the rules of the example. Waiting times and
// windows are seconds, since nobody waits a quarter of an hour here.
type prometheus struct {
	url   string
	fired map[string]bool // the alerts that were seen to fire
}

func startPrometheus(t *testing.T, targets ...string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	rules := readText(t, filepath.Join(monitoring, "alerts.yml"))
	rules = regexp.MustCompile(`(?m)^ +for: .*\n`).ReplaceAllString(rules, "")
	rules = regexp.MustCompile(`\[(15m|1h)\]`).ReplaceAllString(rules, "[10s]")
	rules = strings.NewReplacer("> 60", "> 1", "> 4500", "> 0").Replace(rules)
	config := readText(t, filepath.Join(monitoring, "prometheus.yml"))
	config = strings.NewReplacer("15s", "1s", `"127.0.0.1:8509"`, `"`+strings.Join(targets, `", "`)+`"`).Replace(config)
	writeJob(t, filepath.Join(dir, "alerts.yml"), rules)
	address := fmt.Sprintf("127.0.0.1:%d", quietPort(t))
	p := &running{log: &logged{}, done: make(chan struct{}), cmd: exec.Command("prometheus",
		"--config.file="+writeJob(t, filepath.Join(dir, "prometheus.yml"), config),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.begin(t)
	return &prometheus{url: "http://" + address, fired: map[string]bool{}}
}

// ask is Prometheus's answer to a query of its API.
func (p *prometheus) ask(path string, answer any) error {
	r, err := http.Get(p.url + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %w", r.Status, b, err)
	}
	return json.Unmarshal(b, answer)
}

// firing are the alerts that fire now.
func (p *prometheus) firing() ([]string, error) {
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if err := p.ask("/api/v1/alerts", &answer); err != nil {
		return nil, err
	}
	var names []string
	for _, a := range answer.Data.Alerts {
		if name := a.Labels["alertname"]; a.State == "firing" && !slices.Contains(names, name) {
			names = append(names, name)
			p.fired[name] = true
		}
	}
	return names, nil
}

// fires waits until each of the alerts has fired.
func (p *prometheus) fires(t *testing.T, alerts ...string) {
	t.Helper()
	eventually(t, "alerts", func() error {
		now, err := p.firing()
		for _, name := range alerts {
			if !p.fired["ConsulOCSP"+name] && err == nil {
				err = fmt.Errorf("%s has not fired; now: %s", name, now)
			}
		}
		return err
	})
}

// says waits until a query has a result.
func (p *prometheus) says(t *testing.T, query string) {
	t.Helper()
	eventually(t, query, func() error {
		n, err := p.count(query)
		if err == nil && n == 0 {
			err = errors.New("no result")
		}
		return err
	})
}

// count is how many results a query has.
func (p *prometheus) count(query string) (int, error) {
	var answer struct{ Data struct{ Result []any } }
	err := p.ask("/api/v1/query?query="+url.QueryEscape(query), &answer)
	return len(answer.Data.Result), err
}

// scrapes waits until so many targets were scraped, and nothing fires.
func (p *prometheus) scrapes(t *testing.T, targets int) {
	t.Helper()
	eventually(t, "scrapes", func() error {
		up, err := p.count("count_over_time(up[1m]) > 5 and up == 1")
		now, err2 := p.firing()
		if err == nil && err2 == nil && (up != targets || len(now) > 0) {
			err = fmt.Errorf("%d targets are up, firing: %s", up, now)
		}
		return err
	})
	clear(p.fired)
}

// Each alert of the example fires when its reason is there, and none while all
// is well.
func TestAlerts(t *testing.T) {
	t.Parallel()
	began := time.Now()
	a := newAuthority(t, testca.ResponderOptions{Now: func() time.Time { return began }})
	used := newAuthority(t, testca.ResponderOptions{Backdate: 3 * time.Hour, Validity: 13 * time.Minute})
	brief := newAuthority(t, testca.ResponderOptions{Validity: 15 * time.Second})
	nobodyHears := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nobodyHears.Close)
	var leads atomic.Int64 // a second leader can't be had otherwise
	usurper := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "consul_ocsp_leader %d\nconsul_ocsp_consul_up 1\n", leads.Load())
	}))
	t.Cleanup(usurper.Close)

	c := newCluster(t, a)
	c.announce = "names = true"
	block := func() (address, text string) {
		address = fmt.Sprintf("127.0.0.1:%d", quietPort(t))
		return address, fmt.Sprintf("http {\n  address = %q\n}\n", address)
	}
	fetcher, text := block()
	c.more = text + fmt.Sprintf("on_event {\n  webhook = %q\n  timeout = \"1s\"\n}\n", nobodyHears.URL)
	c.startFetcher(t, "fetcher", "")
	node, text := block()
	pull := fmt.Sprintf("127.0.0.1:%d", quietPort(t))
	c.more = text + fmt.Sprintf("pull {\n  address = %q\n}\n", pull) + fmt.Sprintf(fetcherJob, "min_delay = \"1s\"\n  max_delay = \"1s\"")
	canary := &aviary{cluster: c, dir: t.TempDir()}
	c.inJob = canary.inNode
	c.addNodes(t, 1, testca.IssueOptions{}, www, bird)
	c.served(t, www, "good")
	p := startPrometheus(t, fetcher, node, strings.TrimPrefix(usurper.URL, "http://"))
	p.scrapes(t, 3)
	body(t, "http://"+pull+"/none") // one request that can't be answered
	for _, panel := range dashboard(t) {
		p.accepts(t, panel)
	}

	n := c.nodes[0]
	certs := filepath.Join(n.dir, "certs")
	c.hurry(t)
	canary.begin(t, canary.hold(), "exit 1", "every = \"2h\"\n    within = \"1h\"")
	p.fires(t, "CanaryFailed", "CanarySlow")
	if now, err := p.firing(); err != nil || slices.Contains(now, "ConsulOCSPCertificateRevoked") {
		t.Errorf("a canary alarms: %s, %v", now, err)
	}
	brief.issue(t, certs, testca.IssueOptions{}, "brief.example.test")
	eventually(t, "the brief response", func() error {
		if brief.requests.Load() == 0 {
			return fmt.Errorf("not asked for")
		}
		return nil
	})
	used.issue(t, certs, testca.IssueOptions{}, "used.example.test")
	a.issue(t, certs, testca.IssueOptions{MustStaple: true, Responders: []string{"http://127.0.0.1:1"}}, "must.example.test")
	p.fires(t, "StapleMissing", "MustStapleMissing", "ResponderFails", "NodeTrouble", "StapleEnding", "StapleEndsSoon")
	brief.stop()
	leads.Store(1)
	p.fires(t, "TwoLead", "StapleEnded")
	leads.Store(0)

	// Of the responses in a while this is to be the only one.
	used.stop()
	p.says(t, "increase(consul_ocsp_publish_to_stapled_seconds_count[10s]) == 0")
	n.haproxy.Stop()
	a.revoke(t, www)
	p.fires(t, "CertificateRevoked", "PushesFail", "EventsLost")
	p.says(t, `count_over_time((consul_ocsp_staples{view="delivered",state="revoked"} == 1)[10s:1s]) > 3`)
	n.haproxy.Restart()
	p.fires(t, "DeliveryIsSlow")

	c.consul.Kill()
	p.fires(t, "ConsulSilent", "NobodyLeads", "Fallback")
	for _, panel := range dashboard(t) {
		p.showed(t, panel, began)
	}
	told := map[string]int{}
	for _, place := range []struct{ path, mark string }{{"/v1/metrics", `reason="`}, {"/v1/status", `"reason": "`}} {
		text := body(t, "http://"+node+place.path)
		wantKnownReasons(t, text, place.mark)
		told[place.path] = strings.Count(text, place.mark)
	}
	if log := strings.Count(n.agent.log.String(), " reason="); told["/v1/metrics"] == 0 || told["/v1/status"] == 0 || log == 0 {
		t.Errorf("reasons: %v, %d in the log", told, log)
	}
	n.agent.kill()
	p.fires(t, "AgentDown")

	for _, found := range regexp.MustCompile(`alert: (\S+)`).FindAllStringSubmatch(readText(t, filepath.Join(monitoring, "alerts.yml")), -1) {
		if !p.fired[found[1]] {
			t.Errorf("%s: nothing here causes it", found[1])
		}
		if !strings.Contains(readText(t, filepath.Join(monitoring, "README.md")), "`"+found[1]+"`") {
			t.Errorf("%s: the example's README does not have it", found[1])
		}
	}
}

func body(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// panel is one of the dashboard, with its queries as Grafana would ask them.
type panel struct {
	title   string
	queries []string
}

func dashboard(t *testing.T) (list []panel) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readText(t, filepath.Join(monitoring, "dashboard.json"))), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		one := panel{title: p.Title}
		for _, target := range p.Targets {
			one.queries = append(one.queries, strings.NewReplacer(
				"$job", "consul-ocsp", "$instance", ".*", "$__rate_interval", "10s").Replace(target.Expr))
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		t.Fatal("no panels")
	}
	return list
}

// accepts has Prometheus understand a panel's queries; the README has the metrics.
func (p *prometheus) accepts(t *testing.T, one panel) {
	t.Helper()
	documented := readText(t, "../../README.md")
	for _, query := range one.queries {
		if _, err := p.count(query); err != nil {
			t.Errorf("%s: %v", one.title, err)
		}
		for _, name := range regexp.MustCompile(`consul_ocsp_\w+`).FindAllString(query, -1) {
			if name = regexp.MustCompile(`_(bucket|count)$`).ReplaceAllString(name, ""); !strings.Contains(documented, "`"+name+"`") {
				t.Errorf("%s: there is no metric %s", one.title, name)
			}
		}
	}
}

// showed checks that each of a panel's queries drew something since then, when all
// that it could show has happened.
func (p *prometheus) showed(t *testing.T, one panel, since time.Time) {
	t.Helper()
	for _, query := range one.queries {
		var answer struct{ Data struct{ Result []any } }
		err := p.ask(fmt.Sprintf("/api/v1/query_range?query=%s&start=%d&end=%d&step=1", url.QueryEscape(query), since.Unix(), time.Now().Unix()), &answer)
		if err != nil || len(answer.Data.Result) == 0 {
			t.Errorf("%s: %s drew nothing, %v", one.title, query, err)
		}
	}
}
