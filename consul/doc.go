// Package consul is everything that consul-ocsp says to Consul: who leads, what
// the leader publishes, how nodes follow it, what they announce, and what they
// say of themselves.
//
// # Guarantees
//
// Only the holder of the lock on v1/leader writes what it publishes: each such
// write is one transaction whose first operation checks the lock's session, so
// that a leader which was cut off, or has lost its session without knowing,
// changes nothing. An older response never replaces a newer one in KV, and a
// follower misses no publication for longer than one outage: it reads the ring
// of the last publications, or compares all that it holds.
//
// Nothing is deleted, and no follower forgets anything, because a key or a
// list is missing or empty: Consul serves such lists during elections.
//
// # Limits
//
// Consul is transport, not trust. What is read here is well formed and within
// bounds, never verified: whoever delivers a response verifies it first. The
// lock guards against accidents; a token that may write below the root can
// break it.
//
// One [Client] has one HTTP client with few connections: Consul allows 200 for
// each address. No method blocks on a query for each certificate.
package consul
