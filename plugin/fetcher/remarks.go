package fetcher

import (
	"cmp"
	"slices"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
)

// maxRemarks is how many different things are said of one host.
const maxRemarks = 8

// Clock is a responder host whose clock and ours disagree.
type Clock struct {
	Host string
	// Ahead is how far its Date header is ahead of our clock; negative: behind.
	Ahead time.Duration
	Since time.Time
}

// remarkOn looks at what is odd about an answer that is accepted. Each oddity of
// a host is counted each time, and logged once.
func (f *Fetcher) remarkOn(url string, a *responder.Answer, warnings []string) {
	if a.WrongType {
		f.remark(url, ContentType, "the Content-Type of an answer is not application/ocsp-response", "type", a.ContentType)
	}
	for _, w := range warnings {
		f.remark(url, OddResponse, "a response is lawful but odd", "what", w)
	}
}

func (f *Fetcher) remark(url, reason, message, key, what string) {
	host := hostOf(url)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Remarks[reason]++
	said := f.remarks[host]
	if text := reason + " " + what; len(said) < maxRemarks && !slices.Contains(said, text) {
		f.remarks[host] = append(said, text)
		f.c.Logger.Warn(message, "host", host, "reason", reason, key, what)
	}
}

// compareClocks warns where a responder's Date and our clock differ by more than
// the skew that responses are allowed: once, and again when the difference
// changes by as much. One of the two clocks is wrong, and often it is ours.
func (f *Fetcher) compareClocks(url string, date time.Time) {
	if date.IsZero() {
		return
	}
	now := f.c.Now()
	host, ahead := hostOf(url), date.Sub(now).Round(time.Second)
	off := ahead.Abs() > staple.Skew
	f.mu.Lock()
	defer f.mu.Unlock()
	if off {
		f.counts.Remarks[ClockOff]++
	}
	said, known := f.clocks[host]
	switch {
	case off && (!known || (ahead-said.Ahead).Abs() > staple.Skew):
		if !known {
			said = Clock{Host: host, Since: now}
		}
		said.Ahead = ahead
		f.clocks[host] = said
		f.c.Logger.Warn("the responder's clock and ours disagree; one of them is wrong", "host", host, "reason", ClockOff, "ahead", ahead)
	case !off && known:
		delete(f.clocks, host)
		f.c.Logger.Info("the responder's clock and ours agree again", "host", host)
	}
}

// Clocks are the responder hosts whose clock differs from ours by more than the
// skew that responses are allowed, by name.
func (f *Fetcher) Clocks() []Clock {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Clock, 0, len(f.clocks))
	for _, c := range f.clocks {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Clock) int { return cmp.Compare(a.Host, b.Host) })
	return list
}

// forgetRemarks drops those about hosts that no target has. The caller holds mu.
func (f *Fetcher) forgetRemarks(limits map[string]limit) {
	for host := range f.remarks {
		if _, ok := limits[host]; !ok {
			delete(f.remarks, host)
		}
	}
	for host := range f.clocks {
		if _, ok := limits[host]; !ok {
			delete(f.clocks, host)
		}
	}
}
