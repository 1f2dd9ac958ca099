// Package status says what is known of every staple and every node, from the
// records of a cluster or from data_dir: as a value, as JSON, as a table, over
// HTTP, as a page, and as a judgement for monitoring. Metrics are of the agent
// itself, which hands in a [Sample] of its parts.
//
// What it promises: everything shown is read from records, with the time that
// it is given as "now"; nothing is fetched and nothing verified. A record is
// what somebody wrote, so it can be wrong about a response; it can't make a
// node serve one. Text from records never carries control characters, escape
// sequences or direction marks into a terminal, a log or JSON, and is cut to a
// bounded length.
//
// What it does not promise: that a count of nodes is complete. A node's record
// lists at most record.MaxApplied certificates; Node.AppliedCut says where it
// may know more.
//
// # States
//
// Of a staple, the first that fits:
//
//	canary       the response says revoked, by plan: see [Canary]
//	revoked      the response says that the certificate is revoked
//	ended        the response must no longer be served
//	missing      there never was a response: fetching fails, or a node announces
//	             the certificate and nothing came of it yet
//	ending       less than a quarter of its life is left
//	unstaplable  verified, but HAProxy can't staple it; Unstaplable says why
//	failing      the last fetches failed; the response lives on
//	ok
//
// Of a node, the first that fits:
//
//	stale    not heard of for more than five minutes
//	clock    its report is dated more than five minutes ahead
//	trouble  it says that something is wrong
//	ok
//
// Of a canary, the first that fits:
//
//	failing  something of the round that ended last, or goes on, has failed
//	stale    a round should have begun an hour ago
//	missing  no round has ended yet
//	ok
package status
