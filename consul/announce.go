package consul

import (
	"context"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// AnnounceOptions say how a node announces its certificates.
type AnnounceOptions struct {
	// TTL is certificate_ttl: how long an announcement counts. Default 48 h.
	TTL time.Duration
	// Splay is the most by which the first announcement is put off.
	Splay time.Duration
}

const (
	defaultTTL = 48 * time.Hour
	// announcePause is the longest pause after another node wrote what this one
	// was about to write; it doubles, three times at most.
	announcePause = time.Second
)

func (o AnnounceOptions) ttl() time.Duration {
	if o.TTL <= 0 {
		return defaultTTL
	}
	return o.TTL
}

// Announce says in KV which certificates this node holds, until ctx ends; then
// it returns nil. wake says that certs has others now. Failures are tried
// again. It looks again, after another splay, when Follow of the same client
// misses publications: then announcements may have been lost with them.
func (c *Client) Announce(ctx context.Context, certs func() map[string]record.Certificate, o AnnounceOptions, wake <-chan struct{}) error {
	complaint := c.complaint("announcing certificates")
	splayed := func() time.Time { return time.Now().Add(time.Duration(c.config.Rand() * float64(o.Splay))) }
	due := splayed()
	for {
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-c.missed:
			timer.Stop()
			if soon := splayed(); soon.Before(due) {
				due = soon
			}
			continue
		case <-wake:
			timer.Stop()
		case <-timer.C:
		}
		err := c.AnnounceOnce(ctx, certs(), o)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			complaint.failed(err)
			due = time.Now().Add(c.config.Pause())
		default:
			complaint.worked()
			due = time.Now().Add(o.ttl() / 8)
		}
	}
}

// AnnounceOnce announces certs, by id, at once. It writes only what is not
// announced, or not lately. It tries again where other nodes write the same
// bucket, and returns once all is announced.
func (c *Client) AnnounceOnce(ctx context.Context, certs map[string]record.Certificate, o AnnounceOptions) error {
	left := map[string][]string{} // ids by bucket
	for id := range certs {
		if !record.ValidID(id) {
			return &shapeError{"announce: not an id"}
		}
		left[record.Bucket(id)] = append(left[record.Bucket(id)], id)
	}
	suspect := map[string]bool{}
	for try := range 10 * attempts {
		a, err := c.readBuckets(ctx, left, o, suspect)
		if err != nil || len(a.stale) == 0 {
			return err
		}
		if left, err = a.write(ctx, certs); err != nil || len(left) == 0 {
			return err
		}
		// Many nodes start together: not in step again, and by the time that most
		// of it is done.
		if !sleep(ctx, time.Duration(c.config.Rand()*float64(announcePause<<min(try, 3)))) {
			return ctx.Err()
		}
	}
	return &shapeError{"announce: other nodes keep writing the same keys"}
}
