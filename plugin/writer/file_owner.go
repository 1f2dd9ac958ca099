package writer

import (
	"io/fs"
	"os"
)

// own keeps owner, group and mode of the file that is replaced. A new file is
// readable by all and takes the certificate's owner and group where permitted.
func (f file) own(tmp *os.File, p place) error {
	mode := fs.FileMode(newMode)
	if p.exists {
		fi, err := os.Lstat(p.path())
		if err != nil {
			return refuse(ReasonWrite, "%w", err)
		}
		uid, gid := owner(fi)
		if p.sticky && uid != 0 && uid != f.trust.uid {
			return refuse(ReasonOwner, "%s belongs to %s in a folder where everybody can create files", p.path(), userName(uid))
		}
		mode = fi.Mode().Perm()
		if err := chown(tmp, uid, gid); err != nil {
			return refuse(ReasonOwner, "%s belongs to %s, group %s, and we are not permitted to keep that: give it to %s or remove it",
				p.path(), userName(uid), groupName(gid), userName(f.trust.uid))
		}
	} else if fi, err := os.Stat(f.like); err == nil {
		uid, gid := owner(fi)
		if chown(tmp, uid, gid) != nil {
			// An ordinary user can't give files away, but may be of that group.
			_ = tmp.Chown(-1, int(gid))
		}
	}
	// After the change of owner, which may clear bits.
	if err := tmp.Chmod(mode); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	return nil
}

func chown(tmp *os.File, uid, gid uint32) error {
	fi, err := tmp.Stat()
	if err != nil {
		return err
	}
	if u, g := owner(fi); u == uid && g == gid {
		return nil
	}
	return tmp.Chown(int(uid), int(gid))
}
