package writer

import (
	"os"

	"github.com/consul-ocsp/consul-ocsp/plugin/foldersync"
)

// sync makes the name of the file in its folder durable.
func (f file) sync(folder string) error {
	if f.folders == nil {
		return syncFolder(folder)
	}
	return f.folders.Sync(folder)
}

// settle is for a file that is as it should be, and is only done once its folder
// is synced: it makes up for a sync that failed.
func (f file) settle() error {
	if f.folders == nil || f.folders.AllSynced() { // nearly always
		return nil
	}
	p, err := f.trust.locate(f.path)
	if err != nil {
		return err
	}
	return f.folders.Settle(p.folder)
}

// syncContent makes what was written durable.
func (f file) syncContent(tmp *os.File) error {
	if f.contents == nil {
		return tmp.Sync()
	}
	return f.contents.Sync(tmp)
}

func syncFolder(folder string) error {
	if err := foldersync.Once(folder); err != nil {
		return refuse(ReasonWrite, "%w", err)
	}
	return nil
}
