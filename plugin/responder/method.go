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
	// enoughTrials is how many times a trial of the other method must work,
	// and the usual one time out, until the other one is kept to.
	enoughTrials = 2
)

// methodMemory remembers which HTTP method works with a responder host where
// the usual one failed.
//
// Most failures leave time to try the other method in the same exchange. One
// that took all of its time does not: then the next exchange is a trial of the
// other method. Since a host that is slow or away for a moment says nothing of
// methods, one such trial that works proves nothing yet.
type methodMemory struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]methodKnown
}

type methodKnown struct {
	method string
	until  time.Time
	// trial says that the method is to be tried once; then tried is set. Worked
	// counts the trials that did.
	trial, tried bool
	worked       int
}

// get is the method to begin with instead of the usual one, or "".
func (m *methodMemory) get(host string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, known := m.known[host]
	switch {
	case !known:
		return ""
	case m.now().After(k.until):
		delete(m.known, host)
		return ""
	case k.tried:
		return ""
	}
	k.tried = k.trial
	m.known[host] = k
	return k.method
}

// set notes that a method worked where the other one was refused.
func (m *methodMemory) set(host, method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(host, methodKnown{method: method})
}

// timedOut notes that a method brought nothing in all of an exchange's time.
func (m *methodMemory) timedOut(host, method, other string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.known[host]
	if k.method == method { // it does not work either, or no more
		delete(m.known, host)
		return
	}
	m.put(host, methodKnown{method: other, trial: true, worked: k.worked})
}

// answered notes the method of an exchange's first answer.
func (m *methodMemory) answered(host, method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, known := m.known[host]
	switch {
	case !known || !k.trial:
	case k.method != method:
		delete(m.known, host) // the usual one works
	default:
		k.worked++
		k.trial, k.tried = k.worked < enoughTrials, k.worked < enoughTrials
		m.put(host, k)
	}
}

func (m *methodMemory) put(host string, k methodKnown) {
	if m.known == nil || len(m.known) >= maxMethods {
		m.known = make(map[string]methodKnown)
	}
	k.until = m.now().Add(methodLife)
	m.known[host] = k
}
