package status

import (
	"container/heap"
	"math"
	"time"
)

// maxSeries is of how many certificates in a view there are metrics: of those
// whose staples end first.
const maxSeries = 10_000

// view tells of all staples of a view together, and of single ones if asked to.
func (e emitter) view(v View, now time.Time, single bool) {
	states := map[string]int{OK: 0, Failing: 0, Ending: 0, Missing: 0, Ended: 0, Revoked: 0}
	first, least, must, count := time.Time{}, math.Inf(1), 0, 0
	var kept soonest
	for l := range v.Lives {
		s := l.state(now)
		states[s]++
		count++
		if l.MustStaple && !l.Until.After(now) {
			must++
		}
		if !l.ThisUpdate.IsZero() {
			least = min(least, l.left(now))
			if first.IsZero() || l.Until.Before(first) {
				first = l.Until
			}
		}
		if single {
			kept.keep(l)
		}
	}
	for s, n := range states {
		e.gauge(staples, float64(n), v.Name, s)
	}
	e.gauge(mustMissing, float64(must), v.Name)
	if !first.IsZero() {
		e.gauge(shortest, first.Sub(now).Seconds(), v.Name)
		e.gauge(leastLife, least, v.Name)
	}
	if single {
		e.gauge(left, float64(count-len(kept)), v.Name)
		e.series(v.Name, kept, now)
	}
}

// series tells of each staple. The same certificate may be in two files.
func (e emitter) series(view string, lives []Life, now time.Time) {
	told := make(map[[3]string]bool, len(lives))
	for _, l := range lives {
		labels := [3]string{prefix(clean(l.ID)), clean(l.Job), clean(l.Name)}
		if told[labels] {
			continue
		}
		told[labels] = true
		e.gauge(state, 1, view, labels[0], labels[1], labels[2], l.state(now))
		if !l.ThisUpdate.IsZero() {
			e.gauge(remaining, l.Until.Sub(now).Seconds(), view, labels[0], labels[1], labels[2])
			e.gauge(age, now.Sub(l.ThisUpdate).Seconds(), view, labels[0], labels[1], labels[2])
		}
	}
}

// soonest are the lives that end first, as a heap with the last of them on top.
type soonest []Life

func (s soonest) Len() int           { return len(s) }
func (s soonest) Less(i, j int) bool { return s[i].Until.After(s[j].Until) }
func (s soonest) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *soonest) Push(x any)        { *s = append(*s, x.(Life)) }
func (s *soonest) Pop() any {
	last := len(*s) - 1
	l := (*s)[last]
	*s = (*s)[:last]
	return l
}

func (s *soonest) keep(l Life) {
	switch {
	case len(*s) < maxSeries:
		heap.Push(s, l)
	case l.Until.Before((*s)[0].Until):
		(*s)[0] = l
		heap.Fix(s, 0)
	}
}
