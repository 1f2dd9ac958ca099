package inventory

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// patternFolders are the folders in which files of the sources may appear.
func patternFolders(sources []Source) map[string]bool {
	var paths []string
	for _, s := range sources {
		for _, c := range s.Certificates {
			paths = append(paths, c.Path)
			if c.Issuer != "" {
				paths = append(paths, c.Issuer)
			}
		}
		for _, set := range s.Sets {
			for _, p := range set.Paths {
				paths = append(paths, setFiles(p)...)
			}
		}
		paths = append(append(paths, s.CrtLists...), s.HAProxyConfigs...)
		paths = append(paths, s.Discovered...)
	}
	return foldersOf(paths)
}

// setFiles gives, for each folder that a pattern looks into, the path of a
// file in it, which need not exist.
func setFiles(pattern string) []string {
	if fi, err := os.Stat(pattern); err == nil && fi.IsDir() {
		return []string{filepath.Join(pattern, "x")}
	}
	base, rest := doublestar.SplitPattern(filepath.ToSlash(pattern))
	files := []string{filepath.Join(base, "x")}
	// The folders of /live/*/x.pem are /live/*; of /live/**/*.pem, /live/**.
	dirs := filepath.Dir(filepath.Join(base, rest))
	if dirs == base {
		return files
	}
	found, _ := doublestar.FilepathGlob(dirs) // the reader says what is wrong
	for _, d := range found {
		if fi, err := os.Stat(d); err == nil && fi.IsDir() {
			files = append(files, filepath.Join(d, "x"))
		}
	}
	return files
}

// foldersOf gives the folders in which something changes when another file
// comes to stand behind one of paths: its own, and those of each link on the
// way to it. A folder that does not exist yet stands for its nearest parent.
func foldersOf(paths []string) map[string]bool {
	folders := map[string]bool{}
	walked := map[string]bool{}
	for _, p := range paths {
		dir := filepath.Dir(p)
		for !exists(dir) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
		}
		folders[dir] = true
		linkFolders(p, folders, walked, 0)
	}
	return folders
}

// maxLinks bounds a walk along links.
const maxLinks = 10

func linkFolders(path string, folders, walked map[string]bool, depth int) {
	if walked[path] || depth > maxLinks {
		return
	}
	walked[path] = true
	parent := filepath.Dir(path)
	if parent != path {
		linkFolders(parent, folders, walked, depth)
	}
	fi, err := os.Lstat(path)
	if err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		return
	}
	folders[parent] = true
	to, err := os.Readlink(path)
	if err != nil {
		return
	}
	if !strings.HasPrefix(to, "/") {
		to = filepath.Join(parent, to)
	}
	folders[filepath.Dir(to)] = true
	linkFolders(to, folders, walked, depth+1)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
