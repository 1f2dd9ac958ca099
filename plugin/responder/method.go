package responder

import (
	"sync"
	"time"
)

const (
	// methodLife is how long a responder is asked by the method that worked
	// when the usual one did not. Then the usual one gets another chance:
	// only GET is answered from caches near us.
	methodLife = time.Hour
	// maxMethods bounds the memory; announced certificates may name any number
	// of hosts.
	maxMethods = 4096
)

// methodMemory remembers which HTTP method works with a responder host where
// the usual one failed.
type methodMemory struct {
	now func() time.Time

	mu    sync.Mutex
	works map[string]methodThatWorks
}

type methodThatWorks struct {
	method string
	until  time.Time
}

// get is the method that worked, or "" if nothing is known of the host.
func (m *methodMemory) get(host string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, known := m.works[host]
	if known && m.now().After(w.until) {
		delete(m.works, host)
		return ""
	}
	return w.method
}

func (m *methodMemory) set(host, method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.works == nil || len(m.works) >= maxMethods {
		m.works = make(map[string]methodThatWorks)
	}
	m.works[host] = methodThatWorks{method: method, until: m.now().Add(methodLife)}
}
