package record_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// What a node with ten thousand certificates delivers is told of each of them,
// within Consul's limit for a value; with still more the record is cut, and fits.
func TestNodeWithManyCertificates(t *testing.T) {
	const limit = 512 << 10 // of Consul
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for _, n := range []int{1, 200, 201, 10_000, 60_000} {
		node := record.Node{Node: "web-1", Instance: "a", Certificates: n, Stapled: n}
		for i := range n {
			node.Applied = append(node.Applied, record.Applied{
				ID: record.Checksum(fmt.Append(nil, i)), Job: "edge", Name: fmt.Sprintf("name-%d", i), ThisUpdate: at.Add(time.Duration(i) * time.Second), Status: "good",
			})
		}
		for range 100 {
			node.Trouble = append(node.Trouble, record.NodeTrouble{ID: node.Applied[0].ID, Reason: "path", Error: strings.Repeat("e", 2000)})
		}
		text, err := node.Encode()
		if err != nil || len(text) > limit {
			t.Fatalf("%d certificates: %d bytes, %v", n, len(text), err)
		}
		got, err := record.DecodeNode("web-1", text)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Applied) != min(n, record.MaxApplied) || got.Delivers != nil || got.Certificates != n {
			t.Errorf("%d certificates: %d are told of", n, len(got.Applied))
		}
		for i, a := range got.Applied {
			if want := node.Applied[i]; !a.ThisUpdate.Equal(want.ThisUpdate) || a.ID[:record.IDPrefix] != want.ID[:record.IDPrefix] || n <= 200 && a != want {
				t.Fatalf("%d certificates: %+v, want %+v", n, a, want)
			}
		}
		t.Logf("%d certificates: %d bytes", n, len(text))
	}
}

// A list of anybody's making is read within its bounds.
func TestNodeDeliversAnything(t *testing.T) {
	for _, n := range []int{1, 9, 11, 380_000} {
		text, err := record.Node{Node: "web-1", Delivers: bytes.Repeat([]byte{0xff}, n)}.Encode()
		if err != nil || bytes.Contains(text, []byte("delivers")) {
			t.Fatalf("%v: Encode takes Delivers for its own", err)
		}
		text = fmt.Appendf(nil, `{"node":"web-1","delivers":"%s"}`, strings.Repeat("////", n/3+1))
		node, err := record.DecodeNode("web-1", text)
		if err != nil || len(node.Applied) > record.MaxApplied {
			t.Errorf("%d bytes: %d, %v", n, len(node.Applied), err)
		}
	}
}
