package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSplitSocket(t *testing.T) {
	for socket, want := range map[string]string{
		"/run/haproxy/admin.sock": "unix /run/haproxy/admin.sock",
		"/run/a:1/s":              "unix /run/a:1/s",
		"unix@/run/s":             "unix /run/s",
		"admin.sock":              "unix admin.sock",
		"127.0.0.1:9999":          "tcp 127.0.0.1:9999",
		"[::1]:9999":              "tcp [::1]:9999",
		"ipv4@127.0.0.1:9999":     "tcp4 127.0.0.1:9999",
		"ipv6@[::1]:9999":         "tcp6 [::1]:9999",
	} {
		network, address := splitSocket(socket)
		if got := network + " " + address; got != want {
			t.Errorf("%s: %q, want %q", socket, got, want)
		}
	}
}

func TestConnectErrors(t *testing.T) {
	c := New(Config{Socket: "/run/s"})
	for _, v := range []struct {
		err  error
		kind Kind
		says string
	}{
		{syscall.EACCES, KindPermission, "group"},
		{syscall.ENOENT, KindSocket, "stats socket"},
		{syscall.ECONNREFUSED, KindSocket, "is HAProxy running"},
		{os.ErrDeadlineExceeded, KindTimeout, "within 1s"},
		{errors.New("odd"), KindSocket, "odd"},
	} {
		wrapped := &net.OpError{Op: "dial", Net: "unix", Err: fmt.Errorf("connect: %w", v.err)}
		e := c.connectError(context.Background(), time.Second, "show info", wrapped)
		if e.Kind != v.kind || !strings.Contains(e.Error(), v.says) || !strings.Contains(e.Error(), "/run/s") {
			t.Errorf("%v: %q %v", v.err, e.Kind, e)
		}
	}
}
