package pull_test

import (
	"net"
	"testing"
	"time"
)

// dial connects as soon as somebody listens.
func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if conn, err := net.Dial("unix", socket); err == nil {
			return conn
		}
		<-tick.C
	}
	t.Fatal("nobody listens")
	return nil
}
