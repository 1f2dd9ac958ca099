package fetcher

import (
	"container/heap"

	"golang.org/x/sys/unix"
)

// mostExchanges is how many exchanges go on at a time with all hosts together:
// a quarter of the files that the process may have open, since an exchange that
// begins may take three (two addresses, a question to DNS), and at most 1024.
func mostExchanges() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 256
	}
	return int(min(max(r.Cur/4, 16), 1024))
}

// places bound the workers of all lanes together, so that a thousand hosts don't
// take all of the files that a process may open. Whoever has fewer comes first,
// also before those who have some: a host where nobody answers can't take the
// places of others. A quarter of them is for hosts that answer, however many
// there are that do not. Not for concurrent use.
type places struct {
	most            int
	taken, unproven int
	waiting         [2]waiting // lanes with jobs but without a place for them: unproven, proven
	turns           uint64
}

// waiting is a heap of lanes, the one with the fewest workers on top, and of
// those the one that came first.
type waiting []*lane

// take gives a lane a place for a worker, if there is one for it.
func (p *places) take(n *lane) bool {
	if n.exempt {
		n.workers++
		return true
	}
	if p.taken >= p.most || !n.proven && p.unproven >= p.most-p.most/4 {
		return false
	}
	p.count(n, 1)
	return true
}

func (p *places) give(n *lane) {
	if n.exempt {
		n.workers--
		return
	}
	p.count(n, -1)
}

func (p *places) count(n *lane, d int) {
	n.workers += d
	p.taken += d
	if !n.proven {
		p.unproven += d
	}
	if n.waits {
		heap.Fix(&p.waiting[class(n.proven)], n.at)
	}
}

// prove notes whether the lane's host answers.
func (p *places) prove(n *lane, proven bool) {
	if n.proven == proven || n.exempt {
		return
	}
	waits := n.waits
	p.leave(n)
	d := n.workers
	if proven {
		d = -d
	}
	p.unproven += d
	n.proven = proven
	if waits {
		p.wait(n)
	}
}

// wait queues a lane for a place, and leave ends that.
func (p *places) wait(n *lane) {
	if !n.waits {
		p.turns++
		n.waits, n.turn = true, p.turns
		heap.Push(&p.waiting[class(n.proven)], n)
	}
}

func (p *places) leave(n *lane) {
	if n.waits {
		heap.Remove(&p.waiting[class(n.proven)], n.at)
	}
}

// next takes the lane from the queue that gets a place that is free; nil: none
// waits for one that it may have.
func (p *places) next() *lane {
	if p.taken >= p.most {
		return nil
	}
	for _, c := range []int{class(true), class(false)} {
		if len(p.waiting[c]) > 0 && (c == class(true) || p.unproven < p.most-p.most/4) {
			return heap.Pop(&p.waiting[c]).(*lane)
		}
	}
	return nil
}

// owes reports whether a worker of the lane is to leave its place to a lane that
// has fewer.
func (p *places) owes(n *lane) bool {
	if n.exempt {
		return false
	}
	for c, w := range p.waiting {
		// A place for hosts that answer is no place for others.
		if len(w) > 0 && w[0].workers < n.workers && (c == class(true) || !n.proven || p.unproven < p.most-p.most/4) {
			return true
		}
	}
	return false
}

func class(proven bool) int {
	if proven {
		return 1
	}
	return 0
}

func (w waiting) Len() int { return len(w) }
func (w waiting) Less(i, j int) bool {
	if w[i].workers != w[j].workers {
		return w[i].workers < w[j].workers
	}
	return w[i].turn < w[j].turn
}
func (w waiting) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].at, w[j].at = i, j
}
func (w *waiting) Push(x any) {
	n := x.(*lane)
	n.at = len(*w)
	*w = append(*w, n)
}
func (w *waiting) Pop() any {
	old := *w
	n := old[len(old)-1]
	old[len(old)-1] = nil
	n.waits = false
	*w = old[:len(old)-1]
	return n
}
