package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// expand gives the files of a set, sorted, each once. Errors are one per
// pattern and hide no file.
func expand(s Set) (paths []string, problems []Problem) {
	for _, e := range s.Exclude {
		if !doublestar.ValidatePathPattern(e) {
			problems = append(problems, Problem{Path: e, Err: errors.New("exclude is no glob")})
		}
	}
	for _, pattern := range s.Paths {
		found, err := match(pattern)
		if err != nil {
			problems = append(problems, Problem{Path: pattern, Err: err})
		}
		for _, path := range found {
			if !excluded(path, s.Exclude) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), problems
}

// match gives the files that a pattern stands for, and what went wrong besides.
func match(pattern string) ([]string, error) {
	switch fi, err := os.Stat(pattern); {
	case err == nil && fi.IsDir():
		return folder(pattern)
	case err == nil:
		return []string{pattern}, nil // named by itself: taken whatever it is called
	case !strings.ContainsAny(pattern, `*?[{\`):
		return nil, cause(err)
	}
	base, _ := doublestar.SplitPattern(filepath.ToSlash(pattern))
	if fi, err := os.Stat(base); err != nil {
		return nil, fmt.Errorf("folder %s: %w", base, cause(err))
	} else if !fi.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", base)
	}
	found, err := doublestar.FilepathGlob(pattern, doublestar.WithFailOnIOErrors())
	if err != nil {
		// Again, past what can't be read.
		if found, _ = doublestar.FilepathGlob(pattern); errors.Is(err, fs.ErrNotExist) {
			err = nil // something went away meanwhile
		}
	}
	return slices.DeleteFunc(found, skipped), err
}

// folder gives the files right in a folder.
func folder(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	var found []string
	for _, e := range entries {
		if p := filepath.Join(path, e.Name()); !skipped(p) {
			found = append(found, p)
		}
	}
	if err != nil {
		err = cause(err)
	}
	return found, err
}

// skipped tells what is no certificate in a folder of them: HAProxy's own rule
// for "crt" with a folder, and folders, pipes and links that lead nowhere.
func skipped(path string) bool {
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") {
		return true
	}
	switch filepath.Ext(name) {
	case ".key", ".issuer", ".ocsp", ".sctl":
		return true
	}
	fi, err := os.Stat(path)
	if err != nil {
		// Gone is gone; what may not be looked at is told when it is read.
		return errors.Is(err, fs.ErrNotExist)
	}
	return !fi.Mode().IsRegular()
}

func excluded(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		subject := path
		if !strings.Contains(pattern, "/") {
			subject = filepath.Base(path)
		}
		ok, err := doublestar.PathMatch(pattern, subject)
		return ok && err == nil
	})
}

// maxName is the longest name of a certificate, in bytes.
const maxName = 200

// nameOf is a file's name without folder and ending. Characters that a key in
// Consul, a header or a template could trip over become "-".
func nameOf(path string) (string, error) {
	base := filepath.Base(path)
	// The files of a bundle differ in their last ending alone.
	ending := keyType(base)
	base = strings.TrimSuffix(base, ending)
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.TrimSuffix(base, filepath.Ext(base))) + ending
	if name == "" || name == "." || name == ".." || len(name) > maxName {
		return "", fmt.Errorf("the file's name can't be a certificate's name: list it as a certificate with a name of its own")
	}
	return name, nil
}
