package writer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folders makes a folder with a mode, whatever the umask says.
func makeFolder(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func makeLink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func makeFile(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantReason(t *testing.T, err error, reason, text string) {
	t.Helper()
	if ReasonOf(err) != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v (%s), want %s with %q", err, ReasonOf(err), reason, text)
	}
}

func TestLocate(t *testing.T) {
	root := t.TempDir()
	real := makeFolder(t, filepath.Join(root, "real"), 0o750)
	makeFile(t, filepath.Join(real, "x.ocsp"), "x")
	makeFolder(t, filepath.Join(real, "folder.ocsp"), 0o755)
	makeLink(t, "real", filepath.Join(root, "link"))
	makeLink(t, real, filepath.Join(root, "absolute"))
	makeLink(t, "../real/x.ocsp", filepath.Join(real, "l.ocsp"))
	makeLink(t, "new.ocsp", filepath.Join(real, "dangling.ocsp"))
	makeLink(t, "loop", filepath.Join(root, "loop"))
	resolved, err := filepath.EvalSymlinks(real)
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrust(nil)
	for path, want := range map[string]string{
		"real/x.ocsp": "x.ocsp", "link/x.ocsp": "x.ocsp", "absolute/./x.ocsp": "x.ocsp", "real/l.ocsp": "x.ocsp", "link/../real//x.ocsp": "x.ocsp",
		"real/new.ocsp": "new.ocsp", "link/dangling.ocsp": "new.ocsp",
	} {
		p, err := tr.locate(root + "/" + path)
		if err != nil || p.folder != resolved || p.base != want || p.exists != (want == "x.ocsp") {
			t.Errorf("%s: %+v %v", path, p, err)
		}
	}
	for path, want := range map[string]string{
		"nowhere/x.ocsp": "no such file", "real/folder.ocsp": "is a folder", "loop": "more than 40 links", "real/x.ocsp/y": "neither a folder nor a regular file", "real/a\x00b": "is no path",
	} {
		_, err := tr.locate(root + "/" + path)
		wantReason(t, err, ReasonPath, want)
	}
}

func TestPathsThatOthersCanTurnAreRefused(t *testing.T) {
	root := t.TempDir()
	open := makeFolder(t, filepath.Join(root, "open"), 0o777)
	inner := makeFolder(t, filepath.Join(open, "inner"), 0o755)
	makeFile(t, filepath.Join(inner, "x.ocsp"), "x")
	group := makeFolder(t, filepath.Join(root, "group"), 0o775)
	good := makeFolder(t, filepath.Join(root, "good"), 0o755)
	makeLink(t, filepath.Join(good, "x.ocsp"), filepath.Join(open, "turned.ocsp"))
	makeLink(t, inner, filepath.Join(good, "way"))
	tr := newTrust(nil)
	for _, path := range []string{filepath.Join(open, "x.ocsp"), filepath.Join(inner, "x.ocsp"), filepath.Join(open, "turned.ocsp"), filepath.Join(good, "way", "x.ocsp")} {
		_, err := tr.locate(path)
		wantReason(t, err, ReasonUntrusted, "can be written by every user")
	}
	if _, err := tr.locate(filepath.Join(group, "x.ocsp")); err != nil {
		t.Errorf("a folder that our own group can write: %v", err)
	}
	tr.gids = nil
	_, err := tr.locate(filepath.Join(group, "x.ocsp"))
	wantReason(t, err, ReasonUntrusted, "which is not ours")

	// Listed by its own name and by a link's, with and without a slash.
	makeLink(t, open, filepath.Join(root, "alias"))
	for _, folder := range []string{open, open + "/", filepath.Join(root, "alias")} {
		tr := newTrust([]string{folder})
		for _, path := range []string{filepath.Join(inner, "x.ocsp"), filepath.Join(open, "turned.ocsp"), filepath.Join(good, "way", "x.ocsp")} {
			if _, err := tr.locate(path); err != nil {
				t.Errorf("%s trusted, %s: %v", folder, path, err)
			}
		}
	}
	tr = newTrust([]string{filepath.Join(root, "op"), inner})
	_, err = tr.locate(filepath.Join(open, "x.ocsp"))
	wantReason(t, err, ReasonUntrusted, "can be written by every user")
	_, err = tr.locate(filepath.Join(inner, "x.ocsp"))
	wantReason(t, err, ReasonUntrusted, open) // the way to the trusted folder is open
}

// TestForeignOwner looks from another user's side, which needs no rights.
func TestForeignOwner(t *testing.T) {
	root := t.TempDir()
	folder := makeFolder(t, filepath.Join(root, "ours"), 0o755)
	tr := newTrust(nil)
	if os.Geteuid() == 0 {
		if err := os.Chown(folder, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	} else {
		tr.uid = 65533
	}
	_, err := tr.locate(filepath.Join(folder, "x.ocsp"))
	wantReason(t, err, ReasonUntrusted, "belongs to user")
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "trusted_folders") {
		t.Errorf("no remedy: %v", err)
	}
	tr.folders = []string{root}
	if os.Geteuid() != 0 {
		tr.folders = []string{"/"}
	}
	if _, err := tr.locate(filepath.Join(folder, "x.ocsp")); err != nil {
		t.Errorf("trusted: %v", err)
	}
}

// TestStickyFolder has root's /tmp in it, or one like it.
func TestStickyFolder(t *testing.T) {
	fi, err := os.Lstat("/tmp")
	if err != nil || fi.Mode()&os.ModeSticky == 0 {
		t.Fatalf("/tmp is no sticky folder of root here: %v", err)
	}
	dir, err := os.MkdirTemp("/tmp", "writer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	tr := newTrust(nil)
	if p, err := tr.locate("/tmp/new.ocsp"); err != nil || !p.sticky {
		t.Errorf("%+v %v", p, err)
	}
	link := filepath.Join("/tmp", filepath.Base(dir)+".link")
	makeLink(t, dir, link)
	t.Cleanup(func() { os.Remove(link) })
	if _, err := tr.locate(filepath.Join(link, "x.ocsp")); err != nil {
		t.Errorf("our own link in it: %v", err)
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(link, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	} else {
		tr.uid = 65533
	}
	_, err = tr.locate(filepath.Join(link, "x.ocsp"))
	wantReason(t, err, ReasonUntrusted, "link "+link+" belongs to")
}
