package fetcher

import (
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Of two responses that wait for the same certificate the one that supersedes the
// other is published, whichever comes first, also when it comes back because it
// could not be sent.
func TestOutboxKeepsTheNewer(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	response := func(text, status string, this time.Time) record.Staple {
		return record.Staple{ID: "a", DER: []byte(text), Meta: record.Meta{Status: status, ThisUpdate: this}}
	}
	older, newer := response("older", "good", noon), response("newer", "good", noon.Add(time.Hour))
	revoked, again := response("revoked", "revoked", noon), response("again", "good", noon)
	for _, c := range []struct {
		first, then record.Staple
		want        string
	}{
		{older, newer, "newer"}, {newer, older, "newer"}, {newer, revoked, "newer"},
		{older, revoked, "revoked"}, {revoked, older, "revoked"}, {older, again, "again"},
	} {
		o := newOutbox()
		o.publish(c.first)
		o.publish(c.then)
		if got := o.staples.take(2); len(got) != 1 || string(got[0].value.DER) != c.want {
			t.Errorf("%s, then %s: %d wait, want %s", c.first.DER, c.then.DER, len(got), c.want)
		}
		o.publish(c.first)
		sent := o.staples.take(2)
		o.publish(c.then)
		o.staples.giveBack(sent)
		if got := o.staples.take(2); len(got) != 1 || string(got[0].value.DER) != c.want {
			t.Errorf("%s comes back, and %s is there: %d wait, want %s", c.first.DER, c.then.DER, len(got), c.want)
		}
	}
	o := newOutbox()
	o.trouble("a", &record.Trouble{Reason: "timeout"})
	o.trouble("a", nil)
	if got := o.troubles.take(2); len(got) != 1 || got[0].value != nil {
		t.Errorf("the last word on a trouble: %+v", got)
	}
}
