package inventory

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// ahead reads and parses PEMs on all processors, so that pem has them at hand
// when their turn comes. What can't be read is left to pem, which says why.
func (f *files) ahead(paths []string) {
	var missing []string
	for _, path := range paths {
		if current(f, f.pems[path], path) == nil {
			missing = append(missing, path)
		}
	}
	read := make([]*seen[pemFile], len(missing))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(missing)) {
		workers.Go(func() { // ends when all are read
			for i := next.Add(1) - 1; i < int64(len(missing)); i = next.Add(1) - 1 {
				read[i], _ = f.readPEM(missing[i])
			}
		})
	}
	workers.Wait()
	for i, s := range read {
		if s != nil {
			f.pems[missing[i]] = s
		}
	}
}
