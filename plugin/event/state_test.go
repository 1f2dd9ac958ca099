package event

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// good is a response made this long ago that lives four days.
func good(age time.Duration) Observation {
	return Observation{
		ID: strings.Repeat("a", 64), Job: "edge", Name: "www", Names: []string{"www.example.com"},
		Status: "good", ThisUpdate: noon.Add(-age), Until: noon.Add(96*time.Hour - age),
	}
}

func revoked(age time.Duration) Observation {
	o := good(age)
	o.Status, o.RevokedAt, o.RevocationReason = "revoked", o.ThisUpdate, "keyCompromise"
	return o
}

func TestNews(t *testing.T) {
	const hour = time.Hour
	told := func(state string, age time.Duration) record.ToldState {
		return record.ToldState{State: state, ThisUpdate: noon.Add(-age)}
	}
	var none record.ToldState
	for _, c := range []struct {
		name string
		o    Observation
		last record.ToldState
		want string
	}{
		{"good", good(hour), none, ""},
		{"none yet", Observation{}, none, ""},
		{"a quarter left", good(72 * hour), none, ""},
		{"less than a quarter", good(72*hour + time.Second), none, Expiring},
		{"ended", good(96 * hour), none, Expiring},
		{"still expiring", good(80 * hour), told(stateEnding, 80*hour), ""},
		{"ended by now", good(97 * hour), told(stateEnding, 97*hour), Expiring},
		{"still ended", good(97 * hour), told(stateEnded, 97*hour), ""},
		{"a clock was set back", good(80 * hour), told(stateEnded, 80*hour), ""},
		{"and further", good(hour), told(stateEnded, hour), ""},
		{"a new response", good(hour), told(stateEnded, 97*hour), Recovered},
		{"a new one that ends soon", good(80 * hour), told(stateEnded, 97*hour), Expiring},
		{"revoked", revoked(hour), none, Revoked},
		{"revoked and ended", revoked(97 * hour), none, Revoked},
		{"still revoked", revoked(hour), told(stateRevoked, 2*hour), ""},
		{"revoked after it ended", revoked(hour), told(stateEnded, 97*hour), Revoked},
		{"revoked at the same moment", revoked(hour), told(stateOK, hour), Revoked},
		{"good at the same moment", good(hour), told(stateRevoked, hour), ""},
		{"good before", good(2 * hour), told(stateRevoked, hour), ""},
		{"released", good(hour), told(stateRevoked, 2*hour), Recovered},
		{"what was held before it recovered", good(80 * hour), told(stateOK, hour), ""},
		{"what was revoked before that", revoked(2 * hour), told(stateOK, hour), ""},
	} {
		if got := c.o.news(c.o.state(noon), c.last); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What comes from nodes and responders reaches a command or a webhook bounded and
// without control characters; a NUL would keep a command from being started.
func TestHostileTexts(t *testing.T) {
	o := good(97 * time.Hour)
	o.Job, o.Name, o.Error = "../x", "a\x00b", "\x1b[2J\x00"+strings.Repeat("\xff", 1<<20)
	o.Names = slices.Repeat([]string{"www\n"}, 1000)
	e := o.event(Expiring, stateEnded, noon, "n")
	if len(e.Names) > maxNames || len(e.Error) > 2*maxText || e.Job != "" || e.Name != "" || !strings.HasPrefix(e.Message, "the staple of aaaa") {
		t.Errorf("%.2000v", e)
	}
	for _, v := range append(e.environment(), e.Error, e.Names[0]) {
		if strings.ContainsAny(v, "\x00\x1b\n") {
			t.Errorf("a control character in %.100q", v)
		}
	}
}

func TestUrgency(t *testing.T) {
	must, ended, recovered := good(97*time.Hour), revoked(time.Hour), good(time.Hour)
	must.MustStaple = true
	list := []Event{
		recovered.event(Recovered, stateOK, noon, "n"), good(97*time.Hour).event(Expiring, stateEnded, noon, "n"),
		ended.event(Revoked, stateRevoked, noon, "n"), must.event(Expiring, stateEnded, noon, "n"),
	}
	slices.SortFunc(list, func(a, b Event) int { return a.urgency() - b.urgency() })
	if !list[0].MustStaple || list[1].Event != Revoked || list[2].State != stateEnded || list[3].Event != Recovered {
		t.Errorf("%v", list)
	}
}
