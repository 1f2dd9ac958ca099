// Package consultest starts real Consul servers for tests.
//
// A single server listens on loopback only, on ports of its own, keeps its data in a folder of the test, and ends with the test:
// by the test's cleanup, and on Linux with the test process too, however that ends. It can be stopped, killed and
// restarted; data, ports and tokens stay the same. Start returns when a client can work: a leader is elected, writes are
// accepted, and the agent's own node is registered, so that a session can be created. When the test fails, the end of
// the server's log is printed.
//
// Nothing is mocked and nothing is skipped: a program that is missing or can't be built fails the test in one line.
//
// A Cluster is three such servers and clients, with addresses of their own that can be cut off, and on which packets
// can be lost: in network namespaces where the test may make them (as root, mostly), else on addresses of loopback.
//
// StartDatacenters makes federated servers. Limits: a Server that Start starts is a cluster of one. HTTP is served, over TLS
// and at a unix socket on request: no DNS, gRPC or service mesh.
package consultest
