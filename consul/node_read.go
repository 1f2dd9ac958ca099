package consul

import (
	"context"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// NodeNames are the nodes that have a record.
func (c *Client) NodeNames(ctx context.Context) ([]string, error) {
	keys, err := c.listKeys(ctx, c.keys.nodes())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, key := range keys {
		if name := strings.TrimPrefix(key, c.keys.nodes()); record.ValidName(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Node is the record of a node; found is false where there is none. One that
// can't be read is an error.
func (c *Client) Node(ctx context.Context, name string) (n record.Node, found bool, err error) {
	pair, _, err := c.get(ctx, c.keys.node(name), 0)
	if err != nil || pair == nil {
		return record.Node{}, false, err
	}
	n, err = record.DecodeNode(name, pair.Value)
	return n, err == nil, err
}
