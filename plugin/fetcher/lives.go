package fetcher

import "time"

// Life is what metrics tell of a target.
type Life struct {
	ID, Job, Name     string
	MustStaple        bool
	Status            string    // empty without a response
	ThisUpdate, Until time.Time // zero without a response
	Failing           bool
}

// Lives shows visit each target for which there is or could be a response, in no
// order. It costs little with very many. visit must not call the fetcher.
func (f *Fetcher) Lives(visit func(Life) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, it := range f.items {
		if it.held == nil && (it.outcome == NotApplicable || it.outcome == Off) {
			continue
		}
		if !visit(it.lives()) {
			return
		}
	}
}

// Asked is when the responders of a target were asked last, and when its next
// turn is: zero where it never was, or has none.
func (f *Fetcher) Asked(id string) (last, next time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if it := f.items[id]; it != nil {
		return it.asked, it.next
	}
	return time.Time{}, time.Time{}
}

func (it *item) lives() Life {
	l := Life{ID: it.id, Failing: it.failing != nil}
	if t := it.own; t != nil {
		l.Job, l.Name, l.MustStaple = t.Job, t.Name, t.MustStaple
	} else {
		l.Job, l.Name, l.MustStaple = it.announcement.job, it.announcement.name, it.announcement.mustStaple
	}
	if it.held != nil {
		life := it.held.life()
		l.Status, l.ThisUpdate, l.Until = it.held.status, life.this, life.until
	}
	return l
}
