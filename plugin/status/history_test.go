package status

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// kept is a history of two responses: node-a had both at once, of node-b it is
// known only when its record showed them.
func kept() *History {
	h := NewHistory(id("2"), noon)
	h.Kept = 2
	h.Describe([]string{"www.example.com"}, "0a", "CN=CA", noon.AddDate(0, -1, 0), noon.AddDate(0, 2, 0))
	for i, status := range []string{"good", "revoked"} {
		at := noon.Add(time.Duration(i) * time.Hour)
		notes := record.Kept{Kept: at, Responder: "http://r\x1b[2J", Job: "edge", Name: "www"}
		notes.Note(record.Stapled{Node: "node-a", At: at.Add(time.Second), How: record.HowFile, Target: "/etc/haproxy/certs/a-folder-with-a-long-name/www.example.com.pem.ocsp"})
		notes.Note(record.Stapled{Node: "node-b", Datacenter: "dc2", At: at.Add(10 * time.Minute), After: at.Add(-time.Minute), How: record.HowSeen})
		h.Add(KeptResponse{SHA256: strings.Repeat("ab", 32), Verified: true, Status: status, ProducedAt: at, ThisUpdate: at, NextUpdate: at.Add(4 * time.Hour), DER: []byte{1}}, notes)
	}
	h.Sort()
	return h
}

func TestHistoryThen(t *testing.T) {
	for at, want := range map[time.Time]string{
		noon.Add(-2 * time.Minute):  "",
		noon.Add(-30 * time.Second): "good node-b",
		noon.Add(2 * time.Second):   "good node-a, good node-b",
		noon.Add(30 * time.Minute):  "good node-a, good node-b",
		noon.Add(time.Hour):         "revoked node-b, good node-a, good node-b", // it may have the newer one
		noon.Add(2 * time.Hour):     "revoked node-a, revoked node-b",
	} {
		h := kept()
		h.Then(at)
		var got []string
		for _, r := range h.Responses {
			for _, s := range r.Stapled {
				got = append(got, r.Status+" "+s.Node)
			}
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: %q, want %q", at.Format(time.TimeOnly), got, want)
		}
	}
}

// What people read fits a terminal, and nothing in it acts on one.
func TestHistoryText(t *testing.T) {
	h := kept()
	h.AddWrong("/data/\x1b]0;x", errors.New("damaged"))
	h.Add(KeptResponse{ThisUpdate: noon, Error: "signature: wrong"}, record.Kept{})
	var b strings.Builder
	if err := h.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"certificate edge/www\n", "REVOKED  2026-", "NOT VERIFIED", "  why         signature: wrong", "node-b (dc2)  seen\n", "wrong: /data/?]0;x:"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSuffix(line, "\n"); len(line) > 80 && !strings.Contains(line, "/a-folder-with") || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", line)
		}
	}
}

func TestHistoryOverHTTP(t *testing.T) {
	var asked []any
	h := Handler(t.Context(), HandlerOptions{
		Read: func(context.Context) (*Report, error) { return FromSnapshot(cluster(), noon), nil },
		History: func(_ context.Context, id string, at time.Time, most int) (*History, error) {
			asked = append(asked, at.Unix() > 0, most)
			switch id[0] {
			case '2':
				return kept(), nil
			case '3':
				return nil, errors.New("data_dir: no rights")
			}
			return nil, nil
		},
	})
	for path, code := range map[string]int{
		id("2"): 200, id("2") + "?limit=100": 200, id("2") + "?at=2026-11-21T12:00:00Z": 200,
		id("1"): 404, "x": 404, "..%2f..%2fetc": 404, id("3"): 503,
		id("2") + "?limit=0": 400, id("2") + "?limit=101": 400, id("2") + "?limit=x": 400, id("2") + "?at=yesterday": 400,
	} {
		if w := get(h, "/v1/history/"+path); w.Code != code {
			t.Errorf("%s: %d, want %d: %s", path, w.Code, code, w.Body)
		}
	}
	if w := ask(h, http.MethodDelete, "/v1/history/"+id("2")); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", w.Code)
	}
	var got struct {
		Responses []struct {
			Status, DER string
			Stapled     []struct{ Node, Datacenter, At, How, Target string }
		}
	}
	if err := json.Unmarshal(get(h, "/v1/history/"+id("2")).Body.Bytes(), &got); err != nil || len(got.Responses) != 2 ||
		got.Responses[0].Status != "revoked" || got.Responses[0].DER != "AQ==" || got.Responses[0].Stapled[1].Datacenter != "dc2" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Of ten thousand responses those matter of which a place had something at the
// moment, or may have had: what is left of these is what is left of all.
func TestAtLeavesWhatThenDoes(t *testing.T) {
	var all []record.Kept
	for i := range 1000 { // the newest first, two of each time
		at := noon.Add(-time.Duration(i/2) * time.Hour)
		all = append(all, record.Kept{Kept: at.Add(time.Duration(i%2) * time.Minute), Stapled: []record.Stapled{
			{Node: "a", At: at.Add(time.Minute), How: record.HowTold},
			{Node: "b", At: at.Add(90 * time.Minute), After: at, How: record.HowSeen},
		}})
	}
	at := noon.Add(-100*time.Hour + 30*time.Minute)
	whole, some := NewHistory("id", noon), NewHistory("id", noon)
	matters := At(at)
	for i, notes := range all {
		this := noon.Add(-time.Duration(i/2) * time.Hour)
		r := KeptResponse{ThisUpdate: this, SHA256: strconv.Itoa(i)}
		whole.Add(r, notes)
		if matters(this, notes) {
			some.Add(r, notes)
		}
	}
	if n := len(some.Responses); n < 2 || n > 8 {
		t.Errorf("%d matter", n)
	}
	for _, h := range []*History{whole, some} {
		h.Sort()
		h.Then(at)
	}
	if !reflect.DeepEqual(whole.Responses, some.Responses) || len(some.Responses) == 0 {
		t.Errorf("%+v\nwant %+v", some.Responses, whole.Responses)
	}
}

// slow is a client that takes nothing of its answer until it is told to.
type slow struct {
	http.ResponseWriter
	waits, takes chan struct{}
}

func (s slow) Write(b []byte) (int, error) {
	s.waits <- struct{}{}
	<-s.takes
	return len(b), nil
}

// However many ask for a history and take the answer slowly, few answers are made
// meanwhile: each may be megabytes.
func TestSlowReadersOfHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int64
		h := history(func(context.Context, string, time.Time, int) (*History, error) {
			made.Add(1)
			return kept(), nil
		})
		waits, takes := make(chan struct{}, 100), make(chan struct{})
		for range 50 {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.SetPathValue("id", id("2"))
			go h(slow{httptest.NewRecorder(), waits, takes}, r) // ends when it takes
		}
		synctest.Wait()
		if made.Load() != historyAnswers {
			t.Errorf("%d answers wait in memory", made.Load())
		}
		close(takes)
		synctest.Wait()
		if made.Load() != 50 {
			t.Errorf("%d of 50 were answered", made.Load())
		}
	})
}
