package writer

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// fullDisk is a data_dir that takes nothing while full.
type fullDisk struct {
	*store.Store
	full atomic.Bool
}

func (f *fullDisk) Put(s record.Staple) (bool, error) {
	if f.full.Load() {
		return false, errors.New("no space left on device")
	}
	return f.Store.Put(s)
}

// A full data_dir stops nothing, shows, and has everything once there is room.
func TestFullDataDir(t *testing.T) {
	b := newBench(t)
	disk := &fullDisk{Store: b.data}
	disk.full.Store(true)
	b.restart(func(c *Config) { c.Store = disk })
	target := newRecorder("haproxy")
	c := b.issue("www.example.com")
	c.Targets = []Target{target}
	b.writer.Set([]Certificate{c})
	src := newFeed()
	b.run(src)
	der := b.answer(c, time.Minute)
	src.list <- []record.Staple{from(c, der)}
	clocktest.Eventually(t, "the staple", func() bool { return target.has(c.Name, der) })
	b.holds(c.Path+".ocsp", der)
	clocktest.Eventually(t, "the state", func() bool { return b.state(c).Reason == ReasonStore })
	disk.full.Store(false)
	clocktest.Eventually(t, "all to be well", func() bool { return b.state(c).Reason == "" })
	if st, found, err := b.data.Staple(c.ID); err != nil || !found || string(st.DER) != string(der) {
		t.Errorf("data_dir: %v, %v", found, err)
	}
}
