package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/consul/api"
)

const (
	// maxOps and maxJSON bound a transaction: Consul takes 128 operations and
	// 512 KiB of JSON.
	maxOps  = 128
	maxJSON = 400 << 10
	// readStaples is how many responses, with their metas, one transaction
	// reads.
	readStaples = maxOps / 2
)

// op is one operation of a transaction.
type op = *api.KVTxnOp

func set(key string, value []byte) op { return &api.KVTxnOp{Verb: api.KVSet, Key: key, Value: value} }
func remove(key string) op            { return &api.KVTxnOp{Verb: api.KVDelete, Key: key} }

// cas sets key if it has this ModifyIndex; 0 stands for absent.
func cas(key string, value []byte, index uint64) op {
	return &api.KVTxnOp{Verb: api.KVCAS, Key: key, Value: value, Index: index}
}

// txnOp is an operation as Consul reads it.
type txnOp struct{ KV op }

// size is the length of o in a transaction's JSON.
func (c *Client) size(o op) int {
	o.Namespace, o.Partition = c.namespace, c.partition
	b, err := json.Marshal(txnOp{o})
	if err != nil {
		return maxJSON // a KVTxnOp always has JSON
	}
	return len(b) + 1
}

// txn runs ops, all or none. A transaction that Consul rolled back is no
// error: errs says which operations failed. Missing rights are an error, also
// where Consul reports them as a failed operation.
func (c *Client) txn(ctx context.Context, ops []op) (results []*api.KVPair, errs api.TxnErrors, err error) {
	results, errs, err = c.sendTxn(ctx, ops)
	if i := deniedOp(errs, len(ops)); err == nil && i >= 0 {
		// These answers are not 403, after which the token is read again.
		if changed, reloadErr := c.token.reload(); changed && reloadErr == nil {
			results, errs, err = c.sendTxn(ctx, ops)
		}
		if i = deniedOp(errs, len(ops)); err == nil && i >= 0 {
			return nil, nil, c.opDenied(ops[i], errs)
		}
	}
	return results, errs, err
}

func (c *Client) sendTxn(ctx context.Context, ops []op) ([]*api.KVPair, api.TxnErrors, error) {
	if len(ops) > maxOps {
		return nil, nil, &shapeError{fmt.Sprintf("a transaction of %d operations", len(ops))}
	}
	body := make([]txnOp, len(ops))
	for i, o := range ops {
		o.Namespace, o.Partition = c.namespace, c.partition
		body[i] = txnOp{o}
	}
	options, cancel := c.write(ctx)
	defer cancel()
	var out api.TxnResponse
	_, err := c.api.Raw().Write("/v1/txn", body, &out, options)
	var answer api.StatusError
	switch {
	case errors.As(err, &answer) && answer.Code == http.StatusConflict:
		if json.Unmarshal([]byte(answer.Body), &out) != nil || len(out.Errors) == 0 {
			return nil, nil, &shapeError{"consul rolled a transaction back without saying why"}
		}
		return nil, out.Errors, nil
	case err != nil:
		last := ops[len(ops)-1]
		what, rule := c.right(last)
		return nil, nil, c.denied(what, last.Key, rule, err)
	}
	results := make([]*api.KVPair, 0, len(out.Results))
	for _, r := range out.Results {
		if r != nil && r.KV != nil {
			results = append(results, r.KV)
		}
	}
	return results, nil, nil
}

// deniedOp is the first operation that failed for want of rights, or -1.
func deniedOp(errs api.TxnErrors, count int) int {
	for _, e := range errs {
		if e != nil && e.OpIndex >= 0 && e.OpIndex < count && aclDenial(e.What) {
			return e.OpIndex
		}
	}
	return -1
}

func (c *Client) opDenied(o op, errs api.TxnErrors) error {
	what, rule := c.right(o)
	e := &PermissionError{What: what, Object: o.Key, Rule: rule}
	for _, failed := range errs {
		e.UnknownToken = e.UnknownToken || failed != nil && unknownToken(failed.What)
	}
	return e
}

// right is what o does, and the ACL rule that it needs.
func (c *Client) right(o op) (what, rule string) {
	if o.Verb == api.KVGetOrEmpty || o.Verb == api.KVCheckSession {
		return "read", c.keys.readRule()
	}
	return "write", c.keys.writeRule(o.Key)
}

// failedOp reports whether operation i is among errs.
func failedOp(errs api.TxnErrors, i int) bool {
	for _, e := range errs {
		if e != nil && e.OpIndex == i {
			return true
		}
	}
	return false
}

// getAll reads keys, in as many transactions as it takes; absent ones are not
// in the answer. per is how many keys one transaction reads, at most 128.
//
// Results are matched by key: of what the token may not read Consul leaves out
// the result, and says that all went well.
func (c *Client) getAll(ctx context.Context, keys []string, per int) (map[string]*api.KVPair, error) {
	found := make(map[string]*api.KVPair, len(keys))
	for len(keys) > 0 {
		n := min(per, len(keys))
		part, err := c.getSome(ctx, keys[:n])
		if errors.As(err, new(*PermissionError)) {
			if changed, reloadErr := c.token.reload(); changed && reloadErr == nil {
				part, err = c.getSome(ctx, keys[:n])
			}
		}
		if err != nil {
			return nil, err
		}
		for key, pair := range part {
			found[key] = pair
		}
		keys = keys[n:]
	}
	return found, nil
}

func (c *Client) getSome(ctx context.Context, keys []string) (map[string]*api.KVPair, error) {
	ops := make([]op, len(keys))
	for i, key := range keys {
		ops[i] = &api.KVTxnOp{Verb: api.KVGetOrEmpty, Key: key}
	}
	results, errs, err := c.txn(ctx, ops)
	if err != nil {
		return nil, err
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("read %s: %s", keys[0], errs[0].What)
	}
	return byKey(keys, results, c.keys.readRule())
}

// byKey finds the result for each of keys; absent keys, which Consul answers
// with an index of 0, are left out.
func byKey(keys []string, results []*api.KVPair, rule string) (map[string]*api.KVPair, error) {
	answered := make(map[string]*api.KVPair, len(results))
	for _, pair := range results {
		answered[pair.Key] = pair
	}
	found := make(map[string]*api.KVPair, len(keys))
	for _, key := range keys {
		pair, ok := answered[key]
		if !ok {
			return nil, &PermissionError{What: "read", Object: key, Rule: rule}
		}
		if pair.ModifyIndex > 0 {
			found[key] = pair
		}
	}
	return found, nil
}
