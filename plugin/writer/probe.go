package writer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Probe says what writing a file would come to, without writing.
type Probe struct {
	Exists bool
	Owner  string // "user:group mode" of the file; empty where there is none
	// Holds is the start of the file, at most what HAProxy reads of one.
	Holds []byte
	// Err is why this process could not write it, nil if it could.
	Err error
}

// ProbeFile looks at a destination as [Writer] would before writing to it.
func ProbeFile(path string, trustedFolders []string) Probe {
	f := file{path: path, trust: newTrust(trustedFolders)}
	p, err := f.trust.locate(path)
	if err != nil {
		return Probe{Err: err}
	}
	probe := Probe{Exists: p.exists}
	if unix.Access(p.folder, unix.W_OK|unix.X_OK) != nil {
		probe.Err = refuse(ReasonWrite, "%s can't be written to by %s", p.folder, userName(f.trust.uid))
	}
	if !p.exists {
		return probe
	}
	fi, err := os.Lstat(p.path())
	if err != nil {
		probe.Err = refuse(ReasonWrite, "%w", err)
		return probe
	}
	uid, gid := owner(fi)
	probe.Owner = fmt.Sprintf("%s:%s %04o", userName(uid), groupName(gid), fi.Mode().Perm())
	if f.trust.uid != 0 && uid != f.trust.uid && probe.Err == nil {
		probe.Err = refuse(ReasonOwner, "%s belongs to %s: give it to %s or remove it", p.path(), userName(uid), userName(f.trust.uid))
	}
	if probe.Holds, err = readPlace(p); err != nil && probe.Err == nil {
		probe.Err = err
	}
	return probe
}
