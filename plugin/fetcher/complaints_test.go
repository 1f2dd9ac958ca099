package fetcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/ration"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// loud are the lines at warn and error.
func loud(log string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "[WARN]") || strings.Contains(line, "[ERROR]") {
			lines = append(lines, line)
		}
	}
	return lines
}

func logged(s *scene) *logtest.Text {
	log := &logtest.Text{}
	s.f.c.Logger = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info, DisableTime: true})
	return log
}

// TestADeadResponderMakesAHandfulOfLines has certificates of one responder that
// fails for a day in one way or another, usually 100. Half of the staples end
// meanwhile. When it is back, that is a handful of lines, too.
func TestADeadResponderMakesAHandfulOfLines(t *testing.T) {
	t.Parallel()
	refused := func(r responder.Request, n int64) (*responder.Answer, error) {
		return nil, &responder.Failure{Reason: responder.Refused, URL: r.URL, Requests: 1}
	}
	sizes := map[string]int{"one certificate": 1, "a thousand certificates": 1000}
	for name, fail := range map[string]func(responder.Request, int64) (*responder.Answer, error){
		"one certificate": refused, "a thousand certificates": refused,
		"slow": func(r responder.Request, _ int64) (*responder.Answer, error) {
			clocktest.Take(context.Background(), 10*time.Second)
			return nil, &responder.Failure{Reason: responder.Timeout, URL: r.URL, Requests: 1}
		},
		"pages of HTML": func(r responder.Request, _ int64) (*responder.Answer, error) {
			return nil, &responder.Failure{Reason: responder.HTTPStatus, HTTPStatus: http.StatusNotFound, URL: r.URL, Requests: 1}
		},
		"another way each time": func(r responder.Request, n int64) (*responder.Answer, error) {
			reasons := responder.Reasons()
			return nil, &responder.Failure{Reason: reasons[n%int64(len(reasons))].Reason, URL: r.URL, Requests: 1}
		},
		"back for a moment now and then": func(r responder.Request, n int64) (*responder.Answer, error) {
			if n%7 == 0 {
				return body([]byte{0x30, 0x03, 0x0a, 0x01, 0x06}), nil // unauthorized
			}
			return refused(r, n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				log := logged(s)
				var dead atomic.Bool
				var n atomic.Int64
				dead.Store(true)
				size := cmp.Or(sizes[name], 100)
				targets := s.targets(size, "http://dead.example.com")
				for i, target := range targets {
					s.answer(target, func(r responder.Request) (*responder.Answer, error) {
						if dead.Load() {
							return fail(r, n.Add(1))
						}
						return s.good(target.Leaf.SerialNumber, 24*time.Hour), nil
					})
					left := 12 * time.Hour
					if i%2 == 1 {
						left = 72 * time.Hour
					}
					s.store(target, testca.Answer{ThisUpdate: time.Now().Add(-left), NextUpdate: time.Now().Add(left)})
				}
				s.f.Set(targets)
				s.run(s.f)
				clocktest.Pass(24 * time.Hour)
				all := log.Take()
				got := loud(all)
				if len(got) < 3 || len(got) > 12 {
					t.Errorf("%d lines in a day:\n%s", len(got), strings.Join(got, ""))
				}
				if info := strings.Count(all, "\n") - len(got); info > 2 {
					t.Errorf("%d lines at info:\n%s", info, all)
				}
				if !strings.Contains(all, "[ERROR]") || !strings.Contains(all, fmt.Sprintf("certificates=%d without_staple=%d", size, (size+1)/2)) {
					t.Errorf("nothing of staples that ended:\n%s", all)
				}
				dead.Store(false)
				clocktest.Pass(2 * time.Hour)
				all = log.Take()
				if well := fmt.Sprintf("well again: host=dead.example.com certificates=%d failed_for=", size); len(loud(all)) > 0 ||
					size > 1 && strings.Count(all, well) != 1 || strings.Count(all, "\n") > ration.Most+3 {
					t.Errorf("after it is back:\n%s", all)
				}
			})
		})
	}
}

// TestAFullDiskMakesAHandfulOfLines has a data_dir that takes nothing for a day, in
// which responses come every hour: the log knows when it begins and when it ends,
// and of the responses themselves the first few.
func TestAFullDiskMakesAHandfulOfLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		log := logged(s)
		s.memory.storeErr = errors.New("no space left on device")
		s.f.Set(s.targets(25, "http://ocsp.example.com"))
		s.run(s.f)
		clocktest.Pass(24 * time.Hour)
		all := log.Take()
		if got := loud(all); len(got) != mostLines || !strings.Contains(got[2], "more failures of this kind") || !strings.Contains(got[0], "reason="+Stored) {
			t.Errorf("%d lines:\n%s", len(got), strings.Join(got, ""))
		}
		if n := strings.Count(all, "\n"); n > mostLines+ration.Most {
			t.Errorf("%d lines in a day:\n%s", n, all)
		}
		s.memory.mu.Lock()
		s.memory.storeErr = nil
		s.memory.mu.Unlock()
		clocktest.Pass(2 * time.Hour)
		if all := log.Take(); strings.Count(all, "\n") != 1 || !strings.Contains(all, "responses can be stored again") {
			t.Errorf("afterwards:\n%s", all)
		}
	})
}

// TestANewCertificateIsNotYetKnown has a responder that does not know a
// certificate that was just issued: that is normal for a while and is asked again
// quickly; then it is a failure like others.
func TestANewCertificateIsNotYetKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		log := logged(s)
		a := s.issue("a", testca.IssueOptions{Responders: []string{"http://ocsp.example.com"}, NotBefore: time.Now()})
		s.answer(a, func(responder.Request) (*responder.Answer, error) {
			return body([]byte{0x30, 0x03, 0x0a, 0x01, 0x06}), nil
		})
		s.f.Set([]Target{a})
		s.run(s.f)
		clocktest.Pass(15 * time.Minute)
		if n := s.requests(); n < 9 || n > 31 {
			t.Errorf("%d requests in 15 minutes, want about one a minute", n)
		}
		if got := log.Take(); strings.Count(got, "\n") != 1 || !containsAll(got, []string{"[INFO]", "no new response", "reason=unauthorized"}) {
			t.Errorf("at first:\n%s", got)
		}
		clocktest.Pass(settleIn)
		if got := log.Take(); len(loud(got)) < 1 || !containsAll(loud(got)[0], []string{"[WARN]", "no new response", "reason=unauthorized"}) {
			t.Errorf("then:\n%s", got)
		}
		n := s.requests()
		clocktest.Pass(2 * time.Hour)
		if n := s.requests() - n; n > 6 {
			t.Errorf("%d requests in the next two hours", n)
		}
	})
}

// TestOddAnswersAreSaidOnce has a responder whose clock and Content-Type are
// wrong, and whose delegate lacks nocheck, for many certificates and fetches.
func TestOddAnswersAreSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		log := logged(s)
		var ahead atomic.Int64
		ahead.Store(int64(time.Hour))
		s.f.verify = func(der []byte, target Target, now time.Time) (*staple.Facts, error) {
			f, err := verify(der, target, now)
			if f != nil {
				f.Warnings = []string{"a delegate lacks nocheck"}
			}
			return f, err
		}
		var targets []Target
		for i := range 10 {
			target := s.target(fmt.Sprintf("c%d", i))
			s.answer(target, func(responder.Request) (*responder.Answer, error) {
				a := s.good(target.Leaf.SerialNumber, time.Hour)
				a.Date, a.WrongType, a.ContentType = time.Now().Add(time.Duration(ahead.Load())), true, "text/html"
				return a, nil
			})
			targets = append(targets, target)
		}
		s.f.Set(targets)
		stop := s.run(s.f)
		clocktest.Pass(5 * time.Hour)
		got := loud(log.Take())
		for _, reason := range []string{"reason=clock ahead=1h0m0s", "reason=content-type type=text/html", "reason=odd-response what="} {
			if n := strings.Count(strings.Join(got, ""), reason); n != 1 || len(got) != 3 {
				t.Errorf("%d times %q in\n%s", n, reason, strings.Join(got, ""))
			}
		}
		counts := s.f.Counts()
		if n := counts.Turns[Fetched]; n < 20 || counts.Remarks[ClockOff] < n || counts.Remarks[ContentType] < n || counts.Remarks[OddResponse] < n {
			t.Errorf("%+v", counts)
		}
		if c := s.f.Clocks(); len(c) != 1 || c[0].Host != "ocsp.example.com" || c[0].Ahead != time.Hour {
			t.Errorf("%+v", c)
		}
		for _, step := range []struct {
			ahead time.Duration
			want  string
		}{
			{62 * time.Minute, ""},
			{-2 * time.Hour, "reason=clock ahead=-2h0m0s"},
			{4 * time.Minute, "clock and ours agree again"},
		} {
			ahead.Store(int64(step.ahead))
			clocktest.Pass(time.Hour)
			var odd []string
			for line := range strings.Lines(log.Take()) {
				if strings.Contains(line, "clock") {
					odd = append(odd, line)
				}
			}
			if len(odd) > 1 || (step.want == "") != (len(odd) == 0) || step.want != "" && !strings.Contains(odd[0], step.want) {
				t.Errorf("%v: %q, want %q", step.ahead, odd, step.want)
			}
		}
		if c := s.f.Clocks(); len(c) != 0 {
			t.Errorf("%+v", c)
		}
		stop()
		s.f.Set(nil)
		if len(s.f.remarks)+len(s.f.clocks)+len(s.f.complaints) != 0 {
			t.Errorf("remembered of hosts that nobody has: %v %v %v", s.f.remarks, s.f.clocks, s.f.complaints)
		}
	})
}
