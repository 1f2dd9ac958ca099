package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Every call that agents and commands make to Consul names the namespace and
// the partition of the job file, and so does each operation of a transaction.
// Consul's community edition refuses both, so that what stands before it takes
// them out.
func TestNamespaceAndPartition(t *testing.T) {
	t.Parallel()
	c := newCluster(t, newAuthority(t, testca.ResponderOptions{}))
	w := newTenancy(t, c.consul.Address(), "team", "edge")
	c.addresses = map[string]string{"fetcher": w.address, "node-1": w.address, "status": w.address, "operator": w.address}
	c.sessions = brief + "\n  namespace = \"team\"\n  partition = \"edge\""
	c.more = "service {}\n"
	c.startFetcher(t, "fetcher", "")
	c.addNodes(t, 1, testca.IssueOptions{}, www)
	c.served(t, www, "good")
	c.statusIs(t, "1 staple: 1 ok", "2 nodes: 2 ok")
	dir := t.TempDir()
	job := writeJob(t, dir+"/operator.hcl", strings.Replace(c.head(t, "operator", `"fetch"`, dir), `node_name = "operator"`, "", 1))
	if out, code := consulOCSP(t, "fetch", "-force", "-config-file="+job); code != exitOK {
		t.Errorf("fetch -force ends with %d:\n%s", code, out)
	}
	c.nodes[0].agent.stop(t, syscall.SIGTERM)
	if out, code := consulOCSP(t, "sync", "-config-file="+c.nodes[0].job); code != exitOK {
		t.Errorf("sync ends with %d:\n%s", code, out)
	}
	c.fetcher.stop(t, syscall.SIGTERM)
	w.saw(t, "GET /v1/kv/", "PUT /v1/kv/", "PUT /v1/txn", "PUT /v1/session/create", "PUT /v1/session/renew/", "PUT /v1/session/destroy/",
		"GET /v1/agent/self", "PUT /v1/agent/service/register", "PUT /v1/agent/check/update/", "PUT /v1/agent/service/deregister/")
}

// tenancy stands before a Consul that knows neither namespaces nor partitions.
type tenancy struct {
	address, namespace, partition string

	mu    sync.Mutex
	calls map[string]bool // by method and path
	wrong []string
}

func newTenancy(t *testing.T, consul, namespace, partition string) *tenancy {
	t.Helper()
	w := &tenancy{namespace: namespace, partition: partition, calls: map[string]bool{}}
	w.address = before(t, consul, func(r *http.Request) {
		if err := w.take(r); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.wrong = append(w.wrong, fmt.Sprintf("%s %s: %v", r.Method, r.URL, err))
		}
	})
	return w
}

// take takes namespace and partition out of a request, and says where they are
// not what they should be.
func (w *tenancy) take(r *http.Request) error {
	w.mu.Lock()
	w.calls[r.Method+" "+r.URL.Path] = true
	w.mu.Unlock()
	q := r.URL.Query()
	namespace, partition := q.Get("ns"), q.Get("partition")
	q.Del("ns")
	q.Del("partition")
	r.URL.RawQuery = q.Encode()
	if namespace != w.namespace || partition != w.partition {
		return fmt.Errorf("namespace %q, partition %q", namespace, partition)
	}
	if r.URL.Path != "/v1/txn" {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var ops []map[string]map[string]any
	if err := json.Unmarshal(body, &ops); err != nil {
		return err
	}
	for _, o := range ops {
		for kind, fields := range o {
			if fields["Namespace"] != w.namespace || fields["Partition"] != w.partition {
				return fmt.Errorf("%s %v: namespace %v, partition %v", kind, fields["Key"], fields["Namespace"], fields["Partition"])
			}
			delete(fields, "Namespace")
			delete(fields, "Partition")
		}
	}
	if body, err = json.Marshal(ops); err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// saw checks that there were calls of all these kinds, and nothing wrong.
func (w *tenancy) saw(t *testing.T, kinds ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range kinds {
		found := false
		for call := range w.calls {
			found = found || strings.HasPrefix(call, kind)
		}
		if !found {
			t.Errorf("there was no %s", kind)
		}
	}
	for _, text := range w.wrong {
		t.Error(text)
	}
}
