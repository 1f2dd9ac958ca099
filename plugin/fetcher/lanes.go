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
}

// stored is the lane in which data_dir is read; no host has a space in it.
const stored = "data_dir (no host)"

// limitsOf are the limits of each responder host: the smallest ones of its
// targets.
func limitsOf(targets []Target) map[string]limit {
	limits := map[string]limit{stored: {concurrency: runtime.GOMAXPROCS(0), rate: rate.Inf}}
	for _, t := range targets {
		for _, u := range t.urls() {
			host := hostOf(u)
			l := limit{concurrency: t.Settings.Concurrency, rate: rate.Limit(t.Settings.Rate)}
			if old, ok := limits[host]; ok {
				l = limit{concurrency: min(l.concurrency, old.concurrency), rate: min(l.rate, old.rate)}
			}
			limits[host] = l
		}
	}
	return limits
}

// lanes are queues of jobs, one for each responder host, with workers of their
// own, so that hosts can't delay each other. They live for one Run or Pass.
type lanes struct {
	ctx     context.Context
	limitOf func(host string) limit

	mu      sync.Mutex
	lanes   map[string]*lane
	workers sync.WaitGroup
}

type lane struct {
	jobs        jobs
	workers     int
	waiting     int // workers that wait for their turn; never more than jobs
	concurrency int
	limiter     *rate.Limiter
}

// maxIdleLanes is how many hosts are remembered with nothing to do.
const maxIdleLanes = 1024

func newLanes(ctx context.Context, limitOf func(host string) limit) *lanes {
	return &lanes{ctx: ctx, limitOf: limitOf, lanes: make(map[string]*lane)}
}

// submit queues a job for a host. After the end of the lanes' context jobs are
// dropped. A job may submit others; nobody else may once wait was called.
func (l *lanes) submit(host string, j job) {
	limit := l.limitOf(host)
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.lane(host, limit)
	heap.Push(&n.jobs, j)
	l.staff(host, n)
}

// staff begins workers for jobs that nobody waits for, as many as may work.
func (l *lanes) staff(host string, n *lane) {
	for range min(n.concurrency-n.workers, len(n.jobs)-n.waiting) {
		n.workers++
		// Ends when the queue is empty, or with the context; wait waits for it.
		l.workers.Go(func() { l.work(host, n) })
	}
}

// adjust has more or fewer workers after a job, by what it has shown.
func (l *lanes) adjust(host string, n *lane) {
	limit := l.limitOf(host)
	l.mu.Lock()
	defer l.mu.Unlock()
	n.concurrency = max(limit.concurrency, 1)
	l.staff(host, n)
}

func (l *lanes) lane(host string, limit limit) *lane {
	n, ok := l.lanes[host]
	if !ok {
		if len(l.lanes) >= maxIdleLanes {
			l.forgetIdle()
		}
		n = &lane{limiter: rate.NewLimiter(0, 1)}
		l.lanes[host] = n
	}
	n.concurrency = max(limit.concurrency, 1)
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

func (l *lanes) work(host string, n *lane) {
	for l.enter(n) {
		// The most urgent job is chosen after the wait, not before.
		err := n.limiter.Wait(l.ctx)
		next, ok := l.leave(n, err)
		if !ok {
			return
		}
		next.run()
		l.adjust(host, n)
	}
}

// enter has a worker wait for its turn, if there is a job that nobody waits for,
// and not too many work; else the worker ends.
func (l *lanes) enter(n *lane) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(n.jobs) <= n.waiting || n.workers > n.concurrency || l.ctx.Err() != nil {
		n.workers--
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
		n.workers--
		return job{}, false
	}
	return heap.Pop(&n.jobs).(job), true
}

// wait returns when no job is left or running.
func (l *lanes) wait() { l.workers.Wait() }

// job is one step for one certificate.
type job struct {
	// end is when what is held ends, zero if nothing is: the earliest goes
	// first, after those that must be stapled.
	end        time.Time
	mustStaple bool
	run        func()
}

// jobs is a heap, the most urgent on top.
type jobs []job

func (q jobs) Len() int { return len(q) }
func (q jobs) Less(i, j int) bool {
	if q[i].mustStaple != q[j].mustStaple {
		return q[i].mustStaple
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
