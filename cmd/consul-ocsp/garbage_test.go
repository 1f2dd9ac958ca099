package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestGarbageIsCollectedSeldomUntilTheAgentHasSettled(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	h := newHeapPace()
	if got := debug.SetMemoryLimit(-1); got != startMemory {
		t.Errorf("memory limit %d at the start, want %d", got, startMemory)
	}
	h.settle()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("memory limit %d after the start, want none", got)
	}
	if got := debug.SetGCPercent(50); got != garbage {
		t.Errorf("GC percent %d after the start, want %d", got, garbage)
	}
	h.settle()
	h.look()
	t.Setenv("GOGC", "50")
	newHeapPace().settle()
	if got := debug.SetGCPercent(50); got != 50 || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Errorf("GC percent %d although the environment has it, or settled twice", got)
	}
}
