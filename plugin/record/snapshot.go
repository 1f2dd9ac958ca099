package record

// Snapshot is everything that a cluster knows of its staples and nodes at one
// moment, read for a status.
type Snapshot struct {
	// Format is what v1/format says; 0 where nothing was ever published.
	Format int
	// Leader is nil while nobody holds the lock.
	Leader *Leader
	// Generation is head's; 0 where there is no readable one.
	Generation uint64
	// Metas and Troubles are by id, Nodes by name.
	Metas    map[string]Meta
	Troubles map[string]Trouble
	Nodes    map[string]Node
	// Waiting are the certificates that nodes announce and that have neither a
	// meta nor a trouble, by id.
	Waiting map[string]Certificate
	// Canaries are by job.
	Canaries map[string]Canary
	// Unreadable names the keys whose record was refused, with why.
	Unreadable map[string]string
}
