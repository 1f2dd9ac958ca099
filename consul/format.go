package consul

import (
	"context"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// readFormat is the format that v1/format says; 0 if it says none.
func readFormat(pair *api.KVPair) int {
	if pair == nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(pair.Value)))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// checkFormat refuses to lead where newer agents have led.
func (c *Client) checkFormat(ctx context.Context) error {
	pair, _, err := c.get(ctx, c.keys.format(), 0)
	if err != nil {
		return err
	}
	if found := readFormat(pair); found > record.Format {
		return &FormatError{Found: found, Own: record.Format}
	}
	return nil
}

// claimFormat checks the format again, now that no other agent leads, and
// writes this agent's if it is another. Its first write also shows whether the
// token may write at all.
func (t *Term) claimFormat(ctx context.Context) error {
	pair, _, err := t.c.get(ctx, t.c.keys.format(), 0)
	if err != nil {
		return ended(ctx, err)
	}
	found := readFormat(pair)
	if found > record.Format {
		return &FormatError{Found: found, Own: record.Format}
	}
	if found == record.Format {
		return nil
	}
	return t.write(ctx, []op{set(t.c.keys.format(), []byte(strconv.Itoa(record.Format)))}, true)
}
