package store

import (
	"sync"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// mostRecent bounds what is remembered where nobody ever publishes it here.
const mostRecent = 8192

// recent remembers checksums of responses that were stored: what is durable in
// data_dir leaves it for one that supersedes it alone, so it need not be read
// to know. The zero value is ready, and safe for concurrent use.
type recent struct {
	mu     sync.Mutex
	stored map[string]string // checksums by id
}

func (r *recent) add(st record.Staple) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stored == nil || len(r.stored) >= mostRecent {
		r.stored = make(map[string]string)
	}
	r.stored[st.ID] = st.Meta.SHA256
}

// take reports whether st is the latest of its id, and forgets it: who asks once
// more is told by the disk.
func (r *recent) take(st record.Staple) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum, ok := r.stored[st.ID]
	delete(r.stored, st.ID)
	return ok && sum == st.Meta.SHA256
}
