package consultest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := Start(t)
	t.Logf("ready after %v", time.Since(began).Round(10*time.Millisecond))
	address := s.Address()

	put(t, s.Client(), "a", "1")
	began = time.Now()
	s.Restart()
	t.Logf("stopped and ready again after %v", time.Since(began).Round(10*time.Millisecond))
	if got := get(t, s.Client(), "a"); got != "1" {
		t.Errorf("after a restart: %q, want 1", got)
	}

	put(t, s.Client(), "a", "2")
	s.Kill()
	if _, _, err := s.Client().KV().Get("a", nil); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart()
	if got := get(t, s.Client(), "a"); got != "2" {
		t.Errorf("after a kill: %q, want 2", got)
	}
	if s.Address() != address {
		t.Errorf("address %s became %s", address, s.Address())
	}

	s.Stop()
	s.Stop()
	if _, _, err := s.Client().KV().Get("a", nil); err == nil {
		t.Error("a stopped server answers")
	}
}

func TestSessionOnOwnNode(t *testing.T) {
	t.Parallel()
	s := Start(t)
	id, _, err := s.Client().Session().Create(&api.SessionEntry{Node: s.Node(), TTL: "10s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	held, _, err := s.Client().KV().Acquire(&api.KVPair{Key: "lock", Session: id}, nil)
	if err != nil || !held {
		t.Errorf("lock: %v, %v", held, err)
	}
}

func TestServersAreApart(t *testing.T) {
	t.Parallel()
	one, other := Start(t), Start(t)
	put(t, one.Client(), "a", "1")
	if got := get(t, other.Client(), "a"); got != "" {
		t.Errorf("another server has %q", got)
	}
}

func TestACL(t *testing.T) {
	t.Parallel()
	s := Start(t, WithACL())
	put(t, s.Client(), "open/a", "1")
	put(t, s.Client(), "shut/a", "1")
	secret := s.CreateToken(t, `key_prefix "open/" { policy = "read" }`)
	s.Restart()

	reader := (&api.QueryOptions{Token: secret})
	if pair, _, err := s.Client().KV().Get("open/a", reader); err != nil || pair == nil {
		t.Errorf("a key that may be read: %v, %v", pair, err)
	}
	if _, _, err := s.Client().KV().Get("shut/a", reader); !isForbidden(err) {
		t.Errorf("a key that may not be read: %v", err)
	}
	_, err := s.Client().KV().Put(&api.KVPair{Key: "open/a"}, &api.WriteOptions{Token: secret})
	if !isForbidden(err) {
		t.Errorf("a key that may not be written: %v", err)
	}
	if status := getAnonymously(t, s, "open/a"); status != http.StatusForbidden {
		t.Errorf("without a token: HTTP %d", status)
	}
}

func TestWithConfig(t *testing.T) {
	t.Parallel()
	s := Start(t, WithConfig(`datacenter = "first"`), WithConfig(`datacenter = "second"`))
	self, err := s.Client().Agent().Self()
	if err != nil {
		t.Fatal(err)
	}
	if got := self["Config"]["Datacenter"]; got != "second" {
		t.Errorf("datacenter %v", got)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	other := Start(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, taken := range map[string]int{
		"a silent listener": silent.Addr().(*net.TCPAddr).Port,
		"another Consul":    other.at.ports.http,
	} {
		s := newUnstarted(t, taken, options{})
		if err := s.start(); !errors.Is(err, errPortTaken) {
			t.Errorf("started on a port taken by %s: %v", name, err)
		}
	}
}

func TestRefusedConfig(t *testing.T) {
	t.Parallel()
	s := newUnstarted(t, 0, options{extra: []string{`no_such_setting = 1`}})
	if err := s.start(); err == nil || errors.Is(err, errPortTaken) {
		t.Errorf("an unknown setting: %v", err)
	}
	if !strings.Contains(s.logTail(), "no_such_setting") {
		t.Errorf("the log's end doesn't name the setting: %s", s.logTail())
	}
}

// newUnstarted is a server that will listen for HTTP on a given port, 0 for a free one.
func newUnstarted(t *testing.T, http int, o options) *Server {
	t.Helper()
	p, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	if http != 0 {
		p.http = http
	}
	s, err := newServer(t, Binary(t, "consul"), place{address: "127.0.0.1", ports: p}, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := Start(t)
	members, err := s.Client().Agent().Members(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range members {
		if member.Addr != "127.0.0.1" || member.Name != s.Node() {
			t.Errorf("member %s at %s", member.Name, member.Addr)
		}
	}
	if !strings.HasPrefix(s.Address(), "127.0.0.1:") {
		t.Errorf("address %s", s.Address())
	}
}

func put(t *testing.T, client *api.Client, key, value string) {
	t.Helper()
	if _, err := client.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
		t.Fatal(err)
	}
}

// get returns "" when there is no such key.
func get(t *testing.T, client *api.Client, key string) string {
	t.Helper()
	pair, _, err := client.KV().Get(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if pair == nil {
		return ""
	}
	return string(pair.Value)
}

func getAnonymously(t *testing.T, s *Server, key string) int {
	t.Helper()
	response, err := http.Get(fmt.Sprintf("http://%s/v1/kv/%s", s.Address(), key))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func isForbidden(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusForbidden
}
