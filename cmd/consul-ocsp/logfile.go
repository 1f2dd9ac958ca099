package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// logFile is a log that starts a new file at a size in bytes, which may be
// smaller than any rotating library counts. Old files stand beside it, named
// by when they were put aside: agent.log, agent-20261121T093000.123456789.log.
// It may be used concurrently.
type logFile struct {
	path  string
	limit int // bytes; 0: none
	keep  int // old files; 0: all

	mu   sync.Mutex
	file *os.File // nil while none could be opened
	size int64
}

// logStamp sorts as time does.
const logStamp = "20060102T150405.000000000"

// openLogFile opens path for appending.
func openLogFile(path string, limit, keep int) (*logFile, error) {
	l := &logFile{path: path, limit: limit, keep: keep}
	return l, l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write appends a line, whole, to one file.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit > 0 && l.size > 0 && l.size+int64(len(line)) > int64(l.limit) {
		if err := l.rotate(); err != nil {
			// The line is worth more than the limit.
			fmt.Fprintf(os.Stderr, "consul-ocsp: log_file: %v\n", err)
		}
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	return n, err
}

// rotate puts the file aside and begins another.
func (l *logFile) rotate() error {
	stem, ending := l.split()
	if err := os.Rename(l.path, stem+"-"+time.Now().UTC().Format(logStamp)+ending); err != nil {
		return err
	}
	if err := l.reopen(); err != nil {
		return err
	}
	return l.prune()
}

// Reopen begins the file anew: after somebody else has put it aside.
func (l *logFile) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reopen()
}

func (l *logFile) reopen() error {
	old := l.file
	if err := l.open(); err != nil {
		return err
	}
	if old == nil {
		return nil
	}
	return old.Close()
}

// prune removes the oldest files beyond those to keep.
func (l *logFile) prune() error {
	if l.keep == 0 {
		return nil
	}
	stem, ending := l.split()
	entries, err := os.ReadDir(filepath.Dir(l.path))
	if err != nil {
		return err
	}
	var old []string
	for _, e := range entries {
		stamp, ours := strings.CutPrefix(strings.TrimSuffix(e.Name(), ending), filepath.Base(stem)+"-")
		if _, err := time.Parse(logStamp, stamp); ours && err == nil {
			old = append(old, filepath.Join(filepath.Dir(l.path), e.Name()))
		}
	}
	sort.Strings(old)
	for len(old) > l.keep {
		err = errors.Join(err, os.Remove(old[0]))
		old = old[1:]
	}
	return err
}

func (l *logFile) split() (stem, ending string) {
	ending = filepath.Ext(l.path)
	return strings.TrimSuffix(l.path, ending), ending
}

// Close closes the file.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
