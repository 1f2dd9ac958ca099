package consul

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

const (
	// nodeTaken is for how long a node's name stays with the agent that was
	// last seen by it.
	nodeTaken = 5 * time.Minute
	// reportEvery is how often a node says that it is there: "seen" is at
	// most 150 s old, also after one failure.
	reportEvery = 2 * time.Minute
	// reportSpacing is the least time between two reports.
	reportSpacing = 5 * time.Second
)

// ClaimNode makes this agent, which instance tells from others, the one that
// goes by name. The error is a [NodeTakenError] if another one was seen by it
// in the last five minutes, or claims it at the same moment.
func (c *Client) ClaimNode(ctx context.Context, name, instance string) error {
	if !record.ValidName(name) {
		return &shapeError{fmt.Sprintf("node_name %.200q: only A-Z a-z 0-9 . _ - can be part of a key", name)}
	}
	key := c.keys.node(name)
	for range attempts {
		pair, _, err := c.get(ctx, key, 0)
		if err != nil {
			return err
		}
		now := c.config.Now()
		node := record.Node{Node: name, Instance: instance, Seen: now, Started: now}
		if pair != nil {
			old, err := record.DecodeNode(name, pair.Value)
			if err == nil && old.Instance != instance && now.Sub(old.Seen) < nodeTaken {
				return &NodeTakenError{Node: name, Instance: old.Instance, Seen: old.Seen}
			}
			if err == nil && old.Instance == instance {
				node = old // what it delivers is still true
				node.Seen = now
			}
		}
		done, err := c.putNode(ctx, key, node, modifyIndex(pair))
		if err != nil || done {
			return err
		}
	}
	return fmt.Errorf("node name %q: several agents claim it", name)
}

func (c *Client) putNode(ctx context.Context, key string, node record.Node, index uint64) (bool, error) {
	text, err := node.Encode()
	if err != nil {
		return false, err
	}
	options, cancel := c.write(ctx)
	defer cancel()
	done, _, err := c.api.KV().CAS(&api.KVPair{Key: key, Value: text, ModifyIndex: index}, options)
	if err != nil {
		return false, c.denied("write", key, c.keys.writeRule(key), err)
	}
	return done, nil
}

// ReportNode writes what current says, at least every 150 s and soon after
// wake, until ctx ends; then it returns nil. current sets everything but Seen;
// its Node must be the name that was claimed. Failures are tried again.
func (c *Client) ReportNode(ctx context.Context, current func() record.Node, wake <-chan struct{}) error {
	complaint := c.complaint("reporting this node")
	for ctx.Err() == nil {
		wait := reportEvery
		if err := c.reportNode(ctx, current()); err != nil && ctx.Err() == nil {
			complaint.failed(err)
			wait = c.config.Pause()
		} else {
			complaint.worked()
		}
		if !c.nextReport(ctx, wait, wake) {
			break
		}
	}
	return nil
}

// nextReport waits, for wake not before the spacing is over.
func (c *Client) nextReport(ctx context.Context, wait time.Duration, wake <-chan struct{}) bool {
	spacing := min(reportSpacing, wait)
	if !sleep(ctx, spacing) {
		return false
	}
	timer := time.NewTimer(wait - spacing)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

func (c *Client) reportNode(ctx context.Context, node record.Node) error {
	if !record.ValidName(node.Node) {
		return &shapeError{fmt.Sprintf("node name %.200q can't be part of a key", node.Node)}
	}
	node.Seen = c.config.Now()
	text, err := node.Encode()
	if err != nil {
		return err
	}
	key := c.keys.node(node.Node)
	options, cancel := c.write(ctx)
	defer cancel()
	if _, err := c.api.KV().Put(&api.KVPair{Key: key, Value: text}, options); err != nil {
		return c.denied("write", key, c.keys.writeRule(key), err)
	}
	return nil
}
