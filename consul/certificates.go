package consul

import (
	"context"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// Certificates are the certificates that nodes announced under these ids, as far
// as there are any. That the leaf has its id was checked, and nothing else.
func (c *Client) Certificates(ctx context.Context, ids []string) (map[string]record.Certificate, error) {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		if record.ValidID(id) {
			names = append(names, c.keys.certificate(id))
		}
	}
	pairs, err := c.getAll(ctx, names, readStaples)
	if err != nil {
		return nil, err
	}
	found := make(map[string]record.Certificate, len(pairs))
	for _, id := range ids {
		if pair := pairs[c.keys.certificate(id)]; pair != nil {
			if cert, err := record.DecodeCertificate(id, pair.Value); err == nil {
				found[id] = cert
			}
		}
	}
	return found, nil
}
