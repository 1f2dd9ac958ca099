package record

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Wanted is a bucket of v1/wanted: the hour in which some node last said that
// it holds the certificate, by id. On the wire it is a line "<id> <hour>" for
// each, the hour as 2026112109 in UTC, sorted by id.
type Wanted map[string]time.Time

const (
	hourLayout = "2006010215"
	// maxWanted is Consul's limit for one value.
	maxWanted = 512 << 10
)

// Hour is the hour that a bucket can say for t.
func Hour(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// ParseWanted reads a bucket. A line that does not fit, or an id of another
// bucket, is left out and counted in bad: one broken line must not make a
// cluster forget what the other lines want. An id named twice keeps the later
// hour.
func ParseWanted(bucket string, b []byte) (w Wanted, bad int, err error) {
	if len(b) > maxWanted {
		return nil, 0, fmt.Errorf("wanted/%s: %d bytes; at most %d are read", bucket, len(b), maxWanted)
	}
	w = Wanted{}
	for line := range strings.Lines(string(b)) {
		id, hour, found := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		t, err := time.ParseInLocation(hourLayout, hour, time.UTC)
		if !found || err != nil || !ValidID(id) || Bucket(id) != bucket {
			bad++
			continue
		}
		if t.After(w[id]) {
			w[id] = t
		}
	}
	return w, bad, nil
}

// Encode is the text of the bucket.
func (w Wanted) Encode() []byte {
	ids := make([]string, 0, len(w))
	for id := range w {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(id + " " + w[id].UTC().Format(hourLayout) + "\n")
	}
	return []byte(b.String())
}
