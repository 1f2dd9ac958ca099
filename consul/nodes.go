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
	// reportEvery is how often a node says that it is there; see pace.
	reportEvery = 2 * time.Minute
	// reportSpacing is the least time between two reports.
	reportSpacing = 5 * time.Second
	// reportShare is a node's part of the reports, by the number of nodes: all
	// of them together make 1.8 a second at most.
	reportShare = 550 * time.Millisecond
	// reportLongest is well below half of the time after which a silent node
	// counts as stale.
	reportLongest = 165 * time.Second
	// countEvery is after how many reports the nodes are counted again; see counts.
	countEvery = 20
	// uncounted is how many nodes there are taken to be until they are counted.
	uncounted = 300
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

// ReportNode writes what current says until ctx ends; then it returns nil.
// current sets everything but Seen; its Node must be the name that was claimed.
// Failures are tried again.
//
// It writes at least every two minutes (in clusters of more than 200 nodes: of
// up to 165 s), within seconds of wake, and after refreshed as soon as its share
// of the cluster's writes allows: within seconds in a small cluster, with the
// next regular report in one of hundreds, where something is refreshed all the
// time. wake is for what an operator should see at once.
func (c *Client) ReportNode(ctx context.Context, current func() record.Node, wake, refreshed <-chan struct{}) error {
	complaint := c.complaint("reporting this node")
	nodes := uncounted
	for n := 0; ctx.Err() == nil; n++ {
		if counts(n) {
			if names, err := c.listKeys(ctx, c.keys.nodes()); err == nil {
				nodes = len(names)
			}
		}
		soon, wait := pace(nodes)
		if err := c.reportNode(ctx, current()); err != nil && ctx.Err() == nil {
			complaint.failed(err)
			wait = c.config.Pause()
			soon = wait
		} else {
			complaint.worked()
		}
		if !nextReport(ctx, soon, wait, wake, refreshed) {
			break
		}
	}
	return nil
}

// counts says whether the nodes are counted before the report of this number:
// every now and then, and often at first. Of nodes that start together the first
// ones see few others, and would write for all of them for many reports.
func counts(n int) bool {
	return n%countEvery == 0 || n < countEvery && n&(n-1) == 0
}

// pace is how long after a report the next one may follow for a mere refresh,
// and how long after it must.
func pace(nodes int) (soon, wait time.Duration) {
	share := time.Duration(nodes) * reportShare
	wait = min(max(share, reportEvery), reportLongest)
	return min(max(share, reportSpacing), wait), wait
}

// nextReport waits: not after wait; after refreshed not before soon; after wake
// not before the spacing is over.
func nextReport(ctx context.Context, soon, wait time.Duration, wake, refreshed <-chan struct{}) bool {
	spacing := min(reportSpacing, wait)
	if !sleep(ctx, spacing) {
		return false
	}
	end := time.NewTimer(wait - spacing)
	defer end.Stop()
	early := time.NewTimer(soon - spacing)
	defer early.Stop()
	var news <-chan struct{} // nil until a refresh may be told
	for {
		select {
		case <-ctx.Done():
			return false
		case <-early.C:
			news = refreshed
		case <-news:
			return true
		case <-wake:
			return true
		case <-end.C:
			return true
		}
	}
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
