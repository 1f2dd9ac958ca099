package plugin

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// trimEvery is how often it is looked whether work is over.
	trimEvery = 10 * time.Second
	// trimAfter is how much was allocated, in bytes, when the memory is worth to be
	// given back; trimQuiet how little of it between two looks is none.
	trimAfter = 32 << 20
	trimQuiet = 4 << 20
)

// trim gives memory back to the system once a large piece of work is over, such
// as a takeover: by itself Go keeps for minutes what it may need again, and an
// agent has long hours with nothing to do. The first work is the start, whose end
// is told to settled, if set. It ends with ctx.
func trim(ctx context.Context, settled func()) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	var trimmed, last uint64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := allocated()
		quiet, first := now-last <= trimQuiet, trimmed == 0
		if quiet && first && settled != nil {
			settled()
		}
		if quiet && (first || now-trimmed >= trimAfter) {
			debug.FreeOSMemory()
			now = allocated()
			trimmed = now
		}
		last = now
	}
}

// allocated is how many bytes were allocated since the program began.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
