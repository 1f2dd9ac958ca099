package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// garbage is how much of what is in use may be waiting to be freed, in percent
	// (Go's own default is 100). An agent holds thousands of certificates for months and
	// does little: memory is what it costs the node, and not the processor's time.
	garbage = 10
	// startGarbage is that while the agent starts, as far as all its memory stays
	// within startMemory, in bytes: then it has the most to do, and a quarter of its
	// time would go into looking again and again for what can be freed. With more than
	// this, what stays in use lies scattered, and takes more memory ever after.
	startGarbage = 100
	startMemory  = 128 << 20
)

// heapPace says how often garbage is collected: seldom until the agent has
// settled, or has come to hold so much that this would take startMemory. Its
// methods may be called concurrently.
type heapPace struct {
	mu      sync.Mutex
	settled bool
}

// newHeapPace begins a start. With GOGC or GOMEMLIMIT in the environment it leaves
// all to these.
func newHeapPace() *heapPace {
	h := &heapPace{}
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		h.settled = true
		return h
	}
	debug.SetGCPercent(startGarbage)
	debug.SetMemoryLimit(startMemory)
	h.look()
	return h
}

// look is called again some time after each collection, until the agent has
// settled. The limit must end before what is in use gets near it, since that is
// not all that counts there: it would be looked for garbage all the time, in vain.
func (h *heapPace) look() {
	if heapInUse() > startMemory/3*2 {
		h.settle()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.settled {
		collected := &struct{ _ *byte }{}
		runtime.AddCleanup(collected, (*heapPace).look, h)
	}
}

// settle ends the start.
func (h *heapPace) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.settled {
		h.settled = true
		debug.SetGCPercent(garbage)
		debug.SetMemoryLimit(math.MaxInt64)
	}
}

// heapInUse is what the last collection found in use, in bytes; 0 before the first.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
