package consul

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/logtest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

func TestChain(t *testing.T) {
	head := func(g uint64, nonce, before string, ids ...string) record.Head {
		return record.Head{Generation: g, Nonce: nonce, Before: before, IDs: ids}
	}
	a, b, d := testID(1), testID(2), testID(3)
	from, to := head(10, "n10", "n9"), head(13, "n13", "n12", d)
	good := map[uint64]record.Head{11: head(11, "n11", "n10", a), 12: head(12, "n12", "n11", b)}
	for name, test := range map[string]struct {
		change map[uint64]string
		to     record.Head
		joined bool
	}{
		"whole":             {to: to, joined: true},
		"the next":          {to: head(11, "x", "n10", d), joined: true},
		"slot missing":      {to: to, change: map[uint64]string{11: ""}},
		"slot garbage":      {to: to, change: map[uint64]string{12: "garbage"}},
		"slot of last turn": {to: to, change: map[uint64]string{11: "11 old n10x\n"}},
		"other generation":  {to: to, change: map[uint64]string{12: "76 n12 n11\n"}},
		"other branch":      {to: head(13, "n13", "other", d)},
	} {
		ids, joined := chain(from, test.to, func(g uint64) []byte {
			if text, ok := test.change[g]; ok {
				return []byte(text)
			}
			return good[g].Encode()
		})
		if joined != test.joined {
			t.Errorf("%s: joined is %t", name, joined)
		}
		if name == "whole" && fmt.Sprint(ids) != fmt.Sprint([]string{a, b, d}) {
			t.Errorf("%s: %v", name, ids)
		}
	}
}

func TestByKey(t *testing.T) {
	pair := func(key string, index uint64) *api.KVPair { return &api.KVPair{Key: key, ModifyIndex: index} }
	// In another order than asked for, with more than that, one absent.
	found, err := byKey([]string{"a", "b", "c"}, []*api.KVPair{pair("c", 3), pair("x", 9), pair("b", 0), pair("a", 1)}, "rule")
	if err != nil || len(found) != 2 || found["a"].ModifyIndex != 1 || found["c"].ModifyIndex != 3 {
		t.Errorf("%v, %v", found, err)
	}
	_, err = byKey([]string{"a", "b", "c"}, []*api.KVPair{pair("a", 1), pair("c", 3)}, "the rule")
	var denied *PermissionError
	if !errors.As(err, &denied) || denied.Object != "b" || !strings.Contains(err.Error(), "the rule") {
		t.Errorf("a result left out: %v", err)
	}
}

func TestPack(t *testing.T) {
	c := &Client{namespace: "team"}
	var ops []op
	for i := range 300 {
		ops = append(ops, set(fmt.Sprint(i), nil))
	}
	for i := range 10 {
		ops = append(ops, set(fmt.Sprint(300+i), bytes.Repeat([]byte("x"), 100<<10)))
	}
	next := 0
	for _, part := range c.pack(ops) {
		size := 0
		for _, o := range part {
			if o.Key != fmt.Sprint(next) {
				t.Fatalf("operation %s where %d is due", o.Key, next)
			}
			next++
			size += c.size(o)
		}
		if len(part) == 0 || len(part) > maxOps-1 || size > maxJSON {
			t.Errorf("a transaction of %d operations and %d bytes", len(part), size)
		}
	}
	if next != len(ops) {
		t.Errorf("%d of %d operations", next, len(ops))
	}
	if len(c.pack(nil)) != 0 {
		t.Error("nothing makes a transaction")
	}
}

// The narrowest rule that a role is given is the one that is named.
func TestRules(t *testing.T) {
	k := keys{root: "consul-ocsp/"}
	for key, want := range map[string]string{
		k.wanted("00"):           `key_prefix "consul-ocsp/v1/wanted/" { policy = "write" }`,
		k.certificate(testID(1)): `key_prefix "consul-ocsp/v1/certificate/" { policy = "write" }`,
		k.node("web-1"):          `key "consul-ocsp/v1/node/web-1" { policy = "write" }`,
		k.head():                 `key_prefix "consul-ocsp/v1/" { policy = "write" }`,
		k.der(testID(1)):         `key_prefix "consul-ocsp/v1/" { policy = "write" }`,
	} {
		if got := k.writeRule(key); got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
	k.leads = true
	for key, want := range map[string]string{
		k.node("web-1"):      `key_prefix "consul-ocsp/v1/" { policy = "write" }`,
		k.wanted("00"):       `key_prefix "consul-ocsp/v1/" { policy = "write" }`,
		k.request(testID(1)): `key_prefix "consul-ocsp/v1/request/" { policy = "write" }`,
	} {
		if got := k.writeRule(key); got != want {
			t.Errorf("%s of who may lead: %s", key, got)
		}
	}
	if got := k.readRule(); got != `key_prefix "consul-ocsp/" { policy = "read" }` {
		t.Error(got)
	}
}

// Many loops notice one outage; one line says so.
func TestConnection(t *testing.T) {
	var log logtest.Text
	var told []bool
	at := start
	c := &connection{
		logger: hclog.New(&hclog.LoggerOptions{Output: &log}), now: func() time.Time { return at },
		notify: func(up bool, _ error) { told = append(told, up) },
	}
	began := time.Duration(0) // how long ago the request was sent
	observe := func(path string, code int, err error) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://consul"+path, nil)
		c.observe(at.Add(-began), req, &http.Response{StatusCode: code, Status: fmt.Sprint(code)}, err)
	}
	observe("/v1/kv/a", 200, nil)
	observe("/v1/session/create", 500, nil) // about the agent's own registration
	observe("/v1/kv/a", 403, nil)
	for range 3 {
		observe("/v1/kv/a", 0, errors.New("refused"))
		observe("/v1/txn", 500, nil)
		observe("/v1/agent/self", 200, nil) // answered without a cluster
	}
	at = at.Add(90 * time.Second)
	observe("/v1/kv/a", 404, nil)
	observe("/v1/txn", 409, nil)
	began = 5 * time.Second
	observe("/v1/kv/a", 0, errors.New("swallowed by the outage that is over"))
	if len(told) != 2 || told[0] || !told[1] {
		t.Errorf("told %v", told)
	}
	if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "refused") || !strings.Contains(text, "1m30s") {
		t.Errorf("the log says:\n%s", text)
	}
}

func TestDefaults(t *testing.T) {
	c := Config{Wait: time.Hour}.withDefaults()
	if c.Wait != time.Minute || c.LockDelay <= 0 || c.SessionTTL != 30*time.Second || c.Path != "consul-ocsp/" {
		t.Errorf("%+v", c)
	}
	// Consul ends a session after up to twice its time; then an agent may be in
	// its longest pause.
	if takeover := 2*c.SessionTTL + c.LockDelay + 10*time.Second; takeover > 90*time.Second {
		t.Errorf("a leader that dies is followed after up to %s", takeover)
	}
	for _, random := range []float64{0, 0.5, 0.999} {
		pause := Config{Rand: func() float64 { return random }}.withDefaults().Pause()
		if pause < time.Second || pause > 10*time.Second {
			t.Errorf("a pause of %s", pause)
		}
	}
}
