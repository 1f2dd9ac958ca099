package writer

import (
	"sync"
	"time"
)

// queue holds what is to be done, each entry at most once, and has what failed
// done again after a pause that doubles from first to longest. It keeps no
// content: a worker looks at an entry's newest state when its turn comes.
type queue struct {
	first, longest time.Duration
	random         func() float64 // [0,1)

	ready chan struct{} // has room for one: something may be there to take

	mu    sync.Mutex
	fifo  []*entry
	slots map[*entry]*slot
}

// slot is an entry's place in a queue, while it has one.
type slot struct {
	queued  bool
	running bool
	again   bool // added while running
	tries   int
	timer   *time.Timer // until it is queued again
}

func newQueue(first, longest time.Duration, random func() float64) *queue {
	return &queue{first: first, longest: longest, random: random, ready: make(chan struct{}, 1), slots: map[*entry]*slot{}}
}

// add has e done as soon as possible, also if it waits after a failure.
func (q *queue) add(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.slots[e]
	if s == nil {
		s = &slot{}
		q.slots[e] = s
	}
	if s.running {
		s.again = true
		return
	}
	q.push(e, s)
}

func (q *queue) push(e *entry, s *slot) {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.queued {
		return
	}
	s.queued = true
	q.fifo = append(q.fifo, e)
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take gives the next entry; nil if there is none: then wait for ready. Each
// entry taken is given back by done.
func (q *queue) take() *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.fifo) == 0 {
		return nil
	}
	e := q.fifo[0]
	q.fifo[0] = nil
	q.fifo = q.fifo[1:]
	if len(q.fifo) > 0 {
		q.signal() // for another worker
	}
	s := q.slots[e]
	s.queued, s.running = false, true
	return e
}

// takeSome gives the next entries, at most so many.
func (q *queue) takeSome(most int) []*entry {
	var some []*entry
	for len(some) < most {
		e := q.take()
		if e == nil {
			break
		}
		some = append(some, e)
	}
	return some
}

// done ends what take began.
func (q *queue) done(e *entry, failed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.slots[e]
	s.running = false
	switch {
	case s.again:
		s.again, s.tries = false, 0
		q.push(e, s)
	case failed:
		pause := q.pause(s.tries)
		s.tries++
		var t *time.Timer
		t = time.AfterFunc(pause, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			if s.timer == t {
				q.push(e, s)
			}
		})
		s.timer = t
	default:
		delete(q.slots, e)
	}
}

// pause grows from first to longest; half of it is left to chance, so that
// what failed together is not tried again together.
func (q *queue) pause(tries int) time.Duration {
	d := q.longest
	if tries < 30 && q.first<<tries < q.longest {
		d = q.first << tries
	}
	return d/2 + time.Duration(q.random()*float64(d/2))
}

// stop forgets everything; no timer runs after it.
func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.slots {
		if s.timer != nil {
			s.timer.Stop()
			s.timer = nil
		}
	}
	q.fifo, q.slots = nil, map[*entry]*slot{}
}
