package main

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// intruder has every right in Consul, and uses it by hand.
type intruder struct {
	t *testing.T
	c *cluster
}

func (i intruder) get(key string) []byte {
	i.t.Helper()
	pair, _, err := i.c.consul.Client().KV().Get("consul-ocsp/v1/"+key, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	if pair == nil {
		return nil
	}
	return pair.Value
}

func (i intruder) put(key string, value []byte) {
	i.t.Helper()
	if _, err := i.c.consul.Client().KV().Put(&api.KVPair{Key: "consul-ocsp/v1/" + key, Value: value}, nil); err != nil {
		i.t.Fatal(err)
	}
}

// hour is what nodes write of when they wanted a certificate.
func (i intruder) hour() time.Time { return record.Hour(time.Now()) }

// want adds a line to a bucket.
func (i intruder) want(id string) {
	i.t.Helper()
	lines, _, err := record.ParseWanted(record.Bucket(id), i.get("wanted/"+record.Bucket(id)))
	if err != nil {
		i.t.Fatal(err)
	}
	if lines == nil {
		lines = record.Wanted{}
	}
	lines[id] = i.hour()
	i.put("wanted/"+record.Bucket(id), lines.Encode())
}

func (i intruder) delete(prefix string) {
	i.t.Helper()
	if _, err := i.c.consul.Client().KV().DeleteTree("consul-ocsp/v1/"+prefix, nil); err != nil {
		i.t.Fatal(err)
	}
}

// holds waits until this response is published.
func (i intruder) holds(id string, der []byte) {
	i.t.Helper()
	eventually(i.t, "v1/der/"+id, func() error {
		if got := i.get("der/" + id); !bytes.Equal(got, der) {
			return fmt.Errorf("%d bytes, not the response", len(got))
		}
		return nil
	})
}

// publish does what a leader does, with any bytes: response, a meta that fits
// them, slot and head. claim is the thisUpdate that the meta gives.
func (i intruder) publish(id string, der []byte, claim time.Time) {
	i.t.Helper()
	meta, err := record.DecodeMeta(i.get("meta/" + id))
	if err != nil {
		i.t.Fatal(err)
	}
	head, err := record.ParseHead(i.get("head"))
	if err != nil {
		i.t.Fatal(err)
	}
	meta.SHA256, meta.ThisUpdate = record.Checksum(der), claim
	text, err := meta.Encode()
	if err != nil {
		i.t.Fatal(err)
	}
	next := record.Head{Generation: head.Generation + 1, Nonce: record.NewNonce(), Before: head.Nonce, IDs: []string{id}}
	i.put("der/"+id, der)
	i.put("meta/"+id, text)
	i.put("log/"+record.Slot(next.Generation), next.Encode())
	i.put("head", next.Encode())
}

// session is the session that locks a key.
func (i intruder) session(key string) string {
	i.t.Helper()
	pair, _, err := i.c.consul.Client().KV().Get("consul-ocsp/v1/"+key, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	if pair == nil {
		i.t.Fatalf("there is no %s", key)
	}
	return pair.Session
}
