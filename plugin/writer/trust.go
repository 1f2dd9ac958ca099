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
	p := place{folder: "/"}
	if err := t.enter(&p, "/"); err != nil {
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
			if err := t.enter(&p, filepath.Dir(p.folder)); err != nil {
				return place{}, err
			}
			continue
		}
		last := !slices.ContainsFunc(rest, func(s string) bool { return s != "" && s != "." })
		here := filepath.Join(p.folder, name)
		fi, err := os.Lstat(here)
		switch {
		case errors.Is(err, fs.ErrNotExist) && last:
			p.base = name
			return p, nil
		case err != nil:
			return place{}, refuse(ReasonPath, "%s: %w", path, err)
		case fi.Mode()&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return place{}, refuse(ReasonPath, "%s: more than %d links", path, maxLinks)
			}
			if err := t.link(here, fi); err != nil {
				return place{}, err
			}
			to, err := os.Readlink(here)
			if err != nil {
				return place{}, refuse(ReasonPath, "%s: %w", path, err)
			}
			if filepath.IsAbs(to) {
				if err := t.enter(&p, "/"); err != nil {
					return place{}, err
				}
			}
			rest = append(strings.Split(to, "/"), rest...)
		case fi.IsDir():
			if err := t.enter(&p, here); err != nil {
				return place{}, err
			}
		case last && fi.Mode().IsRegular():
			p.base, p.exists = name, true
			return p, nil
		default:
			return place{}, refuse(ReasonPath, "%s: %s is neither a folder nor a regular file", path, here)
		}
	}
	return place{}, refuse(ReasonPath, "%s is a folder", path)
}

// enter makes folder the current one, once it is judged.
func (t trust) enter(p *place, folder string) error {
	fi, err := os.Lstat(folder)
	if err != nil {
		return refuse(ReasonPath, "%w", err)
	}
	p.folder, p.sticky = folder, false
	if t.trusted(folder) {
		return nil
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return refuse(ReasonUntrusted, "folder %s: its owner is unknown here", folder)
	}
	if st.Uid != 0 && st.Uid != t.uid {
		return refuse(ReasonUntrusted, "folder %s belongs to %s, who could turn the path elsewhere: give it to root or list it in trusted_folders", folder, userName(st.Uid))
	}
	p.sticky = fi.Mode()&fs.ModeSticky != 0 && st.Uid == 0
	if p.sticky {
		return nil
	}
	if fi.Mode().Perm()&0o002 != 0 {
		return refuse(ReasonUntrusted, "folder %s can be written by every user: take that right away or list it in trusted_folders", folder)
	}
	if fi.Mode().Perm()&0o020 != 0 && !slices.Contains(t.gids, st.Gid) {
		return refuse(ReasonUntrusted, "folder %s can be written by group %s, which is not ours: take that right away or list it in trusted_folders", folder, groupName(st.Gid))
	}
	return nil
}

// link judges a symbolic link. Its folder was judged before; what remains is a
// sticky folder, where anybody can leave a link.
func (t trust) link(path string, fi fs.FileInfo) error {
	if t.trusted(path) {
		return nil
	}
	if uid, _ := owner(fi); uid != 0 && uid != t.uid {
		return refuse(ReasonUntrusted, "link %s belongs to %s, who could turn it elsewhere", path, userName(uid))
	}
	return nil
}

func (t trust) trusted(path string) bool {
	return slices.ContainsFunc(t.folders, func(f string) bool {
		return path == f || f == "/" || strings.HasPrefix(path, f+"/")
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
