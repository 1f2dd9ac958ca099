package writer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxLinks is where the kernel gives up too (path_resolution(7)).
const maxLinks = 40

// trust says through which folders this process writes. Somebody who can
// change a folder on the way can turn the path elsewhere between two looks at
// it, so every folder and link from the root on is judged, not only the last.
//
// A folder is fine when root or we own it and when nobody else can write to
// it, except that
//   - our own groups may write to it, and root's group,
//   - everybody may write to a folder of root with the sticky bit, as /tmp is:
//     there nobody can move what belongs to us,
//   - everything goes at and below the folders that the operator trusts.
//
// A POSIX ACL that lets others write shows as the folder's group bits, and is
// judged as these.
type trust struct {
	uid     uint32
	gids    []uint32
	folders []string
}

// newTrust takes the rights of this process as they are now.
func newTrust(folders []string) trust {
	t := trust{uid: uint32(os.Geteuid()), gids: []uint32{0, uint32(os.Getegid())}}
	// Without the supplementary groups the rules are only stricter.
	groups, _ := os.Getgroups()
	for _, g := range groups {
		t.gids = append(t.gids, uint32(g))
	}
	for _, f := range folders {
		if f == "" {
			continue
		}
		t.folders = append(t.folders, filepath.Clean(f))
		if real, err := filepath.EvalSymlinks(f); err == nil {
			t.folders = append(t.folders, real)
		}
	}
	return t
}

// place is where a path leads: a real folder, judged, and a name in it that is
// no link.
type place struct {
	folder string
	base   string
	exists bool
	sticky bool // others can create files in the folder
}

func (p place) path() string { return filepath.Join(p.folder, p.base) }

// locate walks path as the kernel does, links and ".." included, and judges
// each step. The file itself need not exist. A file that is there as a link is
// followed, so that an operator's layout survives a write.
func (t trust) locate(path string) (place, error) {
	if strings.ContainsRune(path, 0) || path == "" {
		return place{}, refuse(ReasonPath, "%q is no path", path)
	}
	if !filepath.IsAbs(path) {
		// Not filepath.Abs: it would resolve ".." before the links.
		wd, err := os.Getwd()
		if err != nil {
			return place{}, refuse(ReasonPath, "%s: %w", path, err)
		}
		path = wd + "/" + path
	}
	var p place
	if err := t.enterNamed(&p, "/"); err != nil {
		return place{}, err
	}
	rest := strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if err := t.enterNamed(&p, filepath.Dir(p.folder)); err != nil {
				return place{}, err
			}
			continue
		}
		last := !slices.ContainsFunc(rest, func(s string) bool { return s != "" && s != "." })
		here := below(p.folder, name, path)
		var st syscall.Stat_t
		err := lstat(here, &st)
		switch kind := st.Mode & syscall.S_IFMT; {
		case errors.Is(err, fs.ErrNotExist) && last:
			p.base = name
			return p, nil
		case err != nil:
			return place{}, refuse(ReasonPath, "%s: %w", path, err)
		case kind == syscall.S_IFLNK:
			if links++; links > maxLinks {
				return place{}, refuse(ReasonPath, "%s: more than %d links", path, maxLinks)
			}
			if err := t.link(here, &st); err != nil {
				return place{}, err
			}
			to, err := os.Readlink(here)
			if err != nil {
				return place{}, refuse(ReasonPath, "%s: %w", path, err)
			}
			if filepath.IsAbs(to) {
				if err := t.enterNamed(&p, "/"); err != nil {
					return place{}, err
				}
			}
			rest = append(strings.Split(to, "/"), rest...)
		case kind == syscall.S_IFDIR:
			if err := t.enter(&p, here, &st); err != nil {
				return place{}, err
			}
		case last && kind == syscall.S_IFREG:
			p.base, p.exists = name, true
			return p, nil
		default:
			return place{}, refuse(ReasonPath, "%s: %s is neither a folder nor a regular file", path, here)
		}
	}
	return place{}, refuse(ReasonPath, "%s is a folder", path)
}

// below is name in folder: of path where that leads there straight, which takes
// no memory, as it nearly always does.
func below(folder, name, path string) string {
	folder = strings.TrimSuffix(folder, "/")
	if n := len(folder) + 1 + len(name); n <= len(path) && path[:len(folder)] == folder && path[len(folder)] == '/' && path[len(folder)+1:n] == name {
		return path[:n]
	}
	return folder + "/" + name
}

// lstat is os.Lstat without its memory, which for the folders of ten thousand
// files would be the most that a start takes.
func lstat(path string, st *syscall.Stat_t) error {
	for {
		switch err := syscall.Lstat(path, st); err {
		case nil:
			return nil
		case syscall.EINTR:
		default:
			return &fs.PathError{Op: "lstat", Path: path, Err: err}
		}
	}
}

// enterNamed is enter for a folder that was not looked at yet.
func (t trust) enterNamed(p *place, folder string) error {
	var st syscall.Stat_t
	if err := lstat(folder, &st); err != nil {
		return refuse(ReasonPath, "%w", err)
	}
	return t.enter(p, folder, &st)
}

// enter makes folder the current one, once it is judged by how it is now.
func (t trust) enter(p *place, folder string, st *syscall.Stat_t) error {
	p.folder, p.sticky = folder, false
	if t.trusted(folder) {
		return nil
	}
	if st.Uid != 0 && st.Uid != t.uid {
		return refuse(ReasonUntrusted, "folder %s belongs to %s, who could turn the path elsewhere: give it to root or list it in trusted_folders", folder, userName(st.Uid))
	}
	p.sticky = st.Mode&syscall.S_ISVTX != 0 && st.Uid == 0
	if p.sticky {
		return nil
	}
	if st.Mode&0o002 != 0 {
		return refuse(ReasonUntrusted, "folder %s can be written by every user: take that right away or list it in trusted_folders", folder)
	}
	if st.Mode&0o020 != 0 && !slices.Contains(t.gids, st.Gid) {
		return refuse(ReasonUntrusted, "folder %s can be written by group %s, which is not ours: take that right away or list it in trusted_folders", folder, groupName(st.Gid))
	}
	return nil
}

// link judges a symbolic link. Its folder was judged before; what remains is a
// sticky folder, where anybody can leave a link.
func (t trust) link(path string, st *syscall.Stat_t) error {
	if t.trusted(path) {
		return nil
	}
	if st.Uid != 0 && st.Uid != t.uid {
		return refuse(ReasonUntrusted, "link %s belongs to %s, who could turn it elsewhere", path, userName(st.Uid))
	}
	return nil
}

func (t trust) trusted(path string) bool {
	return slices.ContainsFunc(t.folders, func(f string) bool {
		rest, below := strings.CutPrefix(path, f)
		return below && (rest == "" || rest[0] == '/' || f == "/")
	})
}

// owner returns who owns a file; nobody's ids where the system doesn't tell.
func owner(fi fs.FileInfo) (uid, gid uint32) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Uid, st.Gid
	}
	return ^uint32(0), ^uint32(0)
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return fmt.Sprintf("%d", gid)
}
