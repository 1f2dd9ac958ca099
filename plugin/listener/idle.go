package listener

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// crowded is from how many connections on a new one costs an idle one: so that
// those who only hold connections open keep nobody out.
const crowded = maxConnections * 3 / 4

// idlers are the connections of a server, and those of them on which nothing is
// asked.
type idlers struct {
	mu   sync.Mutex
	open int
	idle map[net.Conn]bool
}

// state is a server's ConnState.
func (i *idlers) state(conn net.Conn, s http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.idle, conn)
	switch s {
	case http.StateNew:
		i.open++
		if i.open > crowded {
			i.closeOne()
		}
	case http.StateIdle:
		i.idle[conn] = true
	case http.StateClosed, http.StateHijacked:
		i.open--
	}
}

// closeOne closes some idle connection: whoever has it asks anew, as after the
// idle time. The caller holds mu; the server tells of it in another goroutine.
func (i *idlers) closeOne() {
	for conn := range i.idle {
		delete(i.idle, conn)
		if over, ok := conn.(*tls.Conn); ok {
			conn = over.NetConn() // to say goodbye may take seconds
		}
		conn.Close()
		return
	}
}
