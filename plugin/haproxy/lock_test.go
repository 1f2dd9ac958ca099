package haproxy_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
)

const someInfo = "Version: 2.6.12\nPid: 7\nUptime_sec: 5\n"

// Whoever speaks, in this process or another, speaks alone.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(string) (string, bool) { return someInfo, true })
	dir := filepath.Join(t.TempDir(), "a", "lock")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(f.socket), link); err != nil {
		t.Fatal(err)
	}
	lockedIn := func(c *haproxy.Config) { c.LockDir = dir }
	var all sync.WaitGroup
	for _, c := range []*haproxy.Client{
		client(t, f.socket, lockedIn),
		client(t, "unix@"+f.socket, lockedIn),
		client(t, filepath.Join(link, "s"), lockedIn), // the same socket by another way
	} {
		for range 5 {
			all.Go(func() {
				if _, err := c.Info(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if most, asked := f.most.Load(), f.asked.Load(); most != 1 || asked != 15 {
		t.Errorf("%d connections at a time, %d in all", most, asked)
	}

	info, err := os.Stat(dir)
	if err != nil || info.Mode() != os.ModeDir|os.ModeSetgid|0o775 {
		t.Errorf("lock_dir: %v, %v", info.Mode(), err)
	}
	locks, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(locks) != 1 {
		t.Fatalf("lock files: %q", locks)
	}
	if info, err := os.Stat(locks[0]); err != nil || info.Mode() != 0o660 {
		t.Errorf("lock file: %v, %v", info.Mode(), err)
	}
}

// While another process holds the lock nothing is said, and waiting ends.
func TestLockHeldElsewhere(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(string) (string, bool) { return someInfo, true })
	dir := t.TempDir()
	c := client(t, f.socket, func(c *haproxy.Config) { c.LockDir = dir; c.LockWait = 100 * time.Millisecond })
	if _, err := c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	locks, _ := filepath.Glob(filepath.Join(dir, "*"))
	other, err := os.OpenFile(locks[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	_, err = c.Info(t.Context())
	wantKind(t, err, haproxy.KindLock)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Info(ctx)
	wantKind(t, err, haproxy.KindLock)
	if asked := f.asked.Load(); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	// A lock file that was removed locks out nobody.
	if err := os.Remove(locks[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBadLockDirs(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(string) (string, bool) { return someInfo, true })
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, nil)
	// A link where the lock file should be is not followed.
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	c := client(t, f.socket, func(c *haproxy.Config) { c.LockDir = dir })
	if _, err := c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	locks, _ := filepath.Glob(filepath.Join(dir, "*"))
	if err := os.Remove(locks[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, locks[0]); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"", file, filepath.Join(file, "below"), dir} {
		_, err := client(t, f.socket, func(c *haproxy.Config) { c.LockDir = d }).Info(t.Context())
		wantKind(t, err, haproxy.KindLock)
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the link was followed")
	}
}
