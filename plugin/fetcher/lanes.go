package fetcher

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limit bounds what is done at a time, and per second, with one host.
type limit struct {
	concurrency int
	rate        rate.Limit
	// proven says that the host answers.
	proven bool
}

// stored is the lane in which data_dir is read; no host has a space in it.
const stored = "data_dir (no host)"

// limits are those of each responder host: the smallest ones of its targets.
type limits map[string]limit

func newLimits() limits {
	return limits{stored: {concurrency: runtime.GOMAXPROCS(0), rate: rate.Inf}}
}

func (ls limits) add(t Target) {
	for _, u := range t.urls() {
		host := hostOf(u)
		l := limit{concurrency: t.Settings.Concurrency, rate: rate.Limit(t.Settings.Rate)}
		if old, ok := ls[host]; ok {
			l = limit{concurrency: min(l.concurrency, old.concurrency), rate: min(l.rate, old.rate)}
		}
		ls[host] = l
	}
}

// lanes are queues of jobs, one for each responder host, with workers of their
// own, so that hosts can't delay each other. They live for one Run or Pass.
type lanes struct {
	ctx     context.Context
	limitOf func(host string) limit

	mu      sync.Mutex
	lanes   map[string]*lane
	places  places
	workers sync.WaitGroup
}

type lane struct {
	host        string
	jobs        jobs
	workers     int
	waiting     int // workers that wait for their turn; never more than jobs
	concurrency int
	limiter     *rate.Limiter
	// proven says that the host answers, exempt that it is none. Waits says
	// that there is no place for another worker; at and turn are the queue's.
	proven, exempt, waits bool
	at                    int
	turn                  uint64
}

// maxIdleLanes is how many hosts are remembered with nothing to do.
const maxIdleLanes = 1024

func newLanes(ctx context.Context, limitOf func(host string) limit) *lanes {
	return &lanes{ctx: ctx, limitOf: limitOf, lanes: make(map[string]*lane), places: places{most: mostExchanges()}}
}

// submit queues a job for a host. After the end of the lanes' context jobs are
// dropped. A job may submit others; nobody else may once wait was called.
func (l *lanes) submit(host string, j job) {
	limit := l.limitOf(host)
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.lane(host, limit)
	heap.Push(&n.jobs, j)
	l.staff(n)
}

// staff begins workers for jobs that nobody waits for, as many as may work and
// have a place.
func (l *lanes) staff(n *lane) {
	for n.concurrency > n.workers && len(n.jobs) > n.waiting && l.ctx.Err() == nil {
		if !l.places.take(n) {
			l.places.wait(n)
			return
		}
		l.begin(n)
	}
	l.places.leave(n)
}

// dismiss ends a worker. Its place goes to whoever has fewer; that may be its
// own lane again.
func (l *lanes) dismiss(n *lane) {
	l.places.give(n)
	if n.exempt {
		return // wants none that it could not have
	}
	if n.concurrency > n.workers && len(n.jobs) > n.waiting {
		l.places.wait(n)
	}
	l.fill()
}

// fill begins workers of lanes that wait for a place, while there are places.
func (l *lanes) fill() {
	for l.ctx.Err() == nil {
		n := l.places.next()
		if n == nil {
			return
		}
		if n.concurrency > n.workers && len(n.jobs) > n.waiting && l.places.take(n) {
			l.begin(n)
		}
		if n.concurrency > n.workers && len(n.jobs) > n.waiting {
			l.places.wait(n)
		}
	}
}

// begin has a worker that has a place work.
func (l *lanes) begin(n *lane) {
	// Ends when the queue is empty, or with the context; wait waits for it.
	l.workers.Go(func() { l.work(n) })
}

// adjust has more or fewer workers after a job, by what it has shown.
func (l *lanes) adjust(n *lane) {
	limit := l.limitOf(n.host)
	l.mu.Lock()
	defer l.mu.Unlock()
	n.concurrency = max(limit.concurrency, 1)
	l.places.prove(n, limit.proven)
	l.staff(n)
	l.fill()
}

func (l *lanes) lane(host string, limit limit) *lane {
	n, ok := l.lanes[host]
	if !ok {
		if len(l.lanes) >= maxIdleLanes {
			l.forgetIdle()
		}
		n = &lane{host: host, exempt: host == stored, limiter: rate.NewLimiter(0, 1)}
		l.lanes[host] = n
	}
	n.concurrency = max(limit.concurrency, 1)
	l.places.prove(n, limit.proven)
	if n.limiter.Limit() != limit.rate {
		n.limiter.SetLimit(limit.rate)
		n.limiter.SetBurst(burst(limit.rate))
	}
	return n
}

// burst is what may go out at once: a tenth of a second's worth, so that a high
// rate does not depend on the grain of timers.
func burst(r rate.Limit) int { return int(min(max(float64(r)/10, 1), 1<<20)) }

func (l *lanes) forgetIdle() {
	for host, n := range l.lanes {
		if n.workers == 0 && len(n.jobs) == 0 {
			delete(l.lanes, host)
		}
	}
}

func (l *lanes) work(n *lane) {
	for worked := false; l.enter(n, worked); worked = true {
		// The most urgent job is chosen after the wait, not before.
		err := n.limiter.Wait(l.ctx)
		next, ok := l.leave(n, err)
		if !ok {
			return
		}
		next.run()
		l.adjust(n)
	}
}

// enter has a worker wait for its turn, if there is a job that nobody waits for,
// not too many work, and, once it has worked, none who has fewer needs its place;
// else the worker ends.
func (l *lanes) enter(n *lane, worked bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(n.jobs) <= n.waiting || n.workers > n.concurrency || l.ctx.Err() != nil || worked && l.places.owes(n) {
		l.dismiss(n)
		return false
	}
	n.waiting++
	return true
}

// leave takes a job, unless the context ends before the worker's turn comes, or
// fewer may work by now: then others take it. Jobs that they leave at the end of
// the context are dropped.
func (l *lanes) leave(n *lane, err error) (job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.waiting--
	if err != nil || n.workers > n.concurrency {
		l.dismiss(n)
		return job{}, false
	}
	return heap.Pop(&n.jobs).(job), true
}

// wait returns when no job is left or running.
func (l *lanes) wait() { l.workers.Wait() }

// job is one step for one certificate.
type job struct {
	// end is when what is held ends, zero if nothing is: the earliest goes
	// first, after those with first set: what must be stapled, or is waited for.
	end   time.Time
	first bool
	run   func()
}

// jobs is a heap, the most urgent on top.
type jobs []job

func (q jobs) Len() int { return len(q) }
func (q jobs) Less(i, j int) bool {
	if q[i].first != q[j].first {
		return q[i].first
	}
	return q[i].end.Before(q[j].end)
}
func (q jobs) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *jobs) Push(x any)   { *q = append(*q, x.(job)) }
func (q *jobs) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = job{}
	*q = old[:len(old)-1]
	return last
}
