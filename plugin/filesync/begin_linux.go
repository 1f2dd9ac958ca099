package filesync

import (
	"os"

	"golang.org/x/sys/unix"
)

// begin has the kernel write out what the file holds, without waiting for it
// (sync_file_range(2)). That promises nothing, so an error means nothing: a file
// system that can't do it does the work when it is asked to sync, and errors of
// writing are kept until then.
func begin(file *os.File) {
	conn, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		_ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	})
}
