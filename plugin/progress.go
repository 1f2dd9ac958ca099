package plugin

import "time"

// Progress is how far a long pass has come.
type Progress struct {
	// Doing says in words what is done now, such as "fetching".
	Doing string
	// Done of Total are through with it, Failed of these without success. Total
	// is 0 where nobody knows it yet.
	Done, Total, Failed int
	// Until is when waiting ends at the latest; zero where nothing is waited for.
	Until time.Time
}

// says tells who started a pass how far it has come, if he wants to know.
func (o Options) says(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}
