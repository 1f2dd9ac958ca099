package consul

import "context"

// Led reports whether an agent holds the lock now. An error means that Consul
// does not say: it is not there, or has no leader of its own, or the token has
// no right to read.
func (c *Client) Led(ctx context.Context) (bool, error) {
	pair, _, err := c.get(ctx, c.keys.leader(), 0)
	if err != nil {
		return false, err
	}
	return pair != nil && pair.Session != "", nil
}
