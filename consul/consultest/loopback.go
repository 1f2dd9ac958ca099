package consultest

import (
	"fmt"
	"math/rand/v2"
)

// loopback gives each agent an address of its own in 127.0.0.0/8, all of which Linux takes for this machine. Nothing
// can be dropped on the way between them: an agent that is cut off is paused.
type loopback struct {
	prefix string
	count  int
	paused []*Server
}

func newLoopback() *loopback {
	return &loopback{prefix: fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(250))}
}

func (l *loopback) add() (place, error) {
	l.count++
	address := fmt.Sprint(l.prefix, l.count)
	ports, err := freePortsOn(address)
	return place{address: address, ports: ports}, err
}

func (l *loopback) cutOff(s *Server, _ bool) error {
	s.Pause()
	l.paused = append(l.paused, s)
	return nil
}

func (l *loopback) lose(int) (bool, error) { return false, nil }

func (l *loopback) heal() error {
	for _, s := range l.paused {
		s.Resume()
	}
	l.paused = nil
	return nil
}
