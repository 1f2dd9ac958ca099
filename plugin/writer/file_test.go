package writer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func always([]byte) (bool, error) { return true, nil }

func newFile(t *testing.T) file {
	t.Helper()
	folder := makeFolder(t, filepath.Join(t.TempDir(), "certs"), 0o755)
	like := makeFile(t, filepath.Join(folder, "www.pem"), "pem")
	return file{path: filepath.Join(folder, "www.pem.ocsp"), like: like, trust: newTrust(nil)}
}

func (f file) mustReplace(t *testing.T, content string) {
	t.Helper()
	if written, err := f.replace([]byte(content), always); err != nil || !written {
		t.Fatalf("replace: %v %v", written, err)
	}
	if got, err := os.ReadFile(f.path); err != nil || string(got) != content {
		t.Fatalf("%q %v", got, err)
	}
	f.alone(t)
}

// alone checks that nothing temporary stayed.
func (f file) alone(t *testing.T) {
	t.Helper()
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(f.path), ".*"))
	if len(left) > 0 {
		t.Errorf("stayed: %v", left)
	}
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi
}

func TestNewFileIsReadableByAll(t *testing.T) {
	f := newFile(t)
	if os.Geteuid() == 0 {
		if err := os.Chown(f.like, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(f.like, 0o600); err != nil {
		t.Fatal(err)
	}
	f.mustReplace(t, "first")
	if m := stat(t, f.path).Mode(); m != 0o644 {
		t.Errorf("mode %v", m)
	}
	uid, gid := owner(stat(t, f.path))
	if u, g := owner(stat(t, f.like)); u != uid || g != gid {
		t.Errorf("owner %d:%d, the certificate's is %d:%d", uid, gid, u, g)
	}
}

func TestOwnerAndModeStay(t *testing.T) {
	f := newFile(t)
	f.mustReplace(t, "first")
	if err := os.Chmod(f.path, 0o640); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(f.path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	before := stat(t, f.path)
	f.mustReplace(t, "second")
	after := stat(t, f.path)
	u1, g1 := owner(before)
	if u2, g2 := owner(after); u1 != u2 || g1 != g2 || after.Mode() != before.Mode() {
		t.Errorf("%d:%d %v, was %d:%d %v", u2, g2, after.Mode(), u1, g1, before.Mode())
	}
	if os.SameFile(before, after) {
		t.Error("written in place, not replaced")
	}
}

func TestSameContentIsNotWrittenAgain(t *testing.T) {
	f := newFile(t)
	f.mustReplace(t, "first")
	before := stat(t, f.path)
	if written, err := f.replace([]byte("first"), func([]byte) (bool, error) { return true, errors.New("asked") }); written || err != nil {
		t.Errorf("%v %v", written, err)
	}
	if !os.SameFile(before, stat(t, f.path)) {
		t.Error("replaced by itself")
	}
}

func TestDecisionIsAskedWithTheOldContent(t *testing.T) {
	f := newFile(t)
	var seen []string
	decide := func(old []byte) (bool, error) {
		seen = append(seen, string(old))
		return len(seen) == 1, nil
	}
	for _, content := range []string{"first", "second"} {
		if _, err := f.replace([]byte(content), decide); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 || seen[0] != "" || seen[1] != "first" {
		t.Errorf("%q", seen)
	}
	if got, _ := f.read(); string(got) != "first" {
		t.Errorf("%q", got)
	}
	f.alone(t)
}

func TestLinkIsFollowedNotReplaced(t *testing.T) {
	f := newFile(t)
	elsewhere := makeFolder(t, filepath.Join(t.TempDir(), "store"), 0o755)
	makeLink(t, filepath.Join(elsewhere, "real"), f.path)
	for _, content := range []string{"first", "second"} {
		f.mustReplace(t, content)
		if stat(t, f.path).Mode()&fs.ModeSymlink == 0 {
			t.Fatal("the link is gone")
		}
	}
	if left, _ := os.ReadDir(elsewhere); len(left) != 1 {
		t.Errorf("%v", left)
	}
}

// What is at the file's name once it is locked counts, whatever was there before.
func TestFileIsLookedAtAgain(t *testing.T) {
	f := newFile(t)
	before, err := f.trust.locate(f.path)
	if err != nil || before.exists {
		t.Fatal(before, err)
	}
	open := makeFolder(t, filepath.Join(t.TempDir(), "open"), 0o777)
	elsewhere := makeFolder(t, filepath.Join(t.TempDir(), "store"), 0o755)
	for _, c := range []struct {
		now    string
		put    func()
		want   place
		reason string
	}{
		{now: "nothing", put: func() {}, want: before},
		{now: "a file", put: func() { makeFile(t, f.path, "new") }, want: place{folder: before.folder, base: before.base, exists: true}},
		{now: "a link", put: func() { makeLink(t, filepath.Join(elsewhere, "real"), f.path) }, want: place{folder: elsewhere, base: "real"}},
		{now: "a link to where everybody writes", put: func() { makeLink(t, filepath.Join(open, "real"), f.path) }, reason: ReasonUntrusted},
		{now: "a folder", put: func() { makeFolder(t, f.path, 0o755) }, reason: ReasonPath},
	} {
		c.put()
		p, err := f.again(before)
		if ReasonOf(err) != c.reason || c.reason == "" && p != c.want {
			t.Errorf("%s: %+v, %v", c.now, p, err)
		}
		if err := os.RemoveAll(f.path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashLeftovers puts there what a killed process leaves.
func TestCrashLeftovers(t *testing.T) {
	f := newFile(t)
	p, err := f.trust.locate(f.path)
	if err != nil {
		t.Fatal(err)
	}
	makeFile(t, temporary(p), "half of someth")
	f.mustReplace(t, "whole")

	makeFile(t, temporary(p), "half of someth")
	f.clean()
	f.alone(t)

	// Owned by another after a crash between chown and rename, linked elsewhere.
	victim := makeFile(t, filepath.Join(p.folder, "victim"), "precious")
	if err := os.Link(victim, temporary(p)); err != nil {
		t.Fatal(err)
	}
	f.mustReplace(t, "new")
	if got, _ := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("a hard link was written through: %q", got)
	}
	makeLink(t, victim, temporary(p))
	if _, err := f.replace([]byte("newer"), always); ReasonOf(err) != ReasonWrite {
		t.Errorf("a link in the temporary file's place: %v", err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("a link was written through: %q", got)
	}
}

func TestOneProcessWritesAtATime(t *testing.T) {
	f := newFile(t)
	p, err := f.trust.locate(f.path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(temporary(p), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	_, err = f.replace([]byte("content"), always)
	wantReason(t, err, ReasonBusy, "locked")
	f.clean() // leaves what another process is writing
	stat(t, temporary(p))
	other.Close()
	f.mustReplace(t, "content")
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	f := newFile(t)
	makeFolder(t, f.path, 0o755)
	_, err := f.replace([]byte("x"), always)
	wantReason(t, err, ReasonPath, "is a folder")
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(f.path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = f.replace([]byte("x"), always)
	wantReason(t, err, ReasonPath, "neither")
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.mustReplace(t, "x")
	if gone, err := f.remove(); !gone || err != nil {
		t.Errorf("remove: %v %v", gone, err)
	}
	if gone, err := f.remove(); gone || err != nil {
		t.Errorf("remove again: %v %v", gone, err)
	}
}

func TestOwnerThatCantBeKeptIsNamed(t *testing.T) {
	f := newFile(t)
	f.mustReplace(t, "first")
	p, err := f.trust.locate(f.path)
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// Root may keep any owner, but not in a folder where the file may be
		// another user's own.
		if err := os.Chown(f.path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		p.sticky = true
		tmp, err := f.reserve(p)
		if err != nil {
			t.Fatal(err)
		}
		defer tmp.Close()
		wantReason(t, f.own(tmp, p), ReasonOwner, "belongs to user")
		return
	}
	// An ordinary user finds foreign files in the system's folders.
	p = place{folder: "/etc", base: "passwd", exists: true}
	tmp, err := os.CreateTemp(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer tmp.Close()
	wantReason(t, f.own(tmp, p), ReasonOwner, "belongs to user root")
}
