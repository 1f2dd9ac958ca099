package hclconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

const (
	// maxFile bounds one job file; 10,000 certificate blocks fit several times.
	maxFile = 4 << 20

	pathsVariable = "CONSUL_OCSP_CONFIG"
	defaultFolder = "/etc/consul-ocsp.d"
)

// LoadOptions says what Load reads.
type LoadOptions struct {
	// Paths are files and folders in the order given. A folder stands for its
	// *.hcl files in lexical order, hidden ones left out; other files may have
	// any name. A file that is met twice is read once.
	Paths []string

	// Environ looks up env.NAME and Consul's variables; os.LookupEnv fits.
	// nil: no variable is set.
	Environ func(name string) (value string, ok bool)
}

// Load reads and checks all files as one configuration. A non-nil error is
// always a *Diagnostics, and then there is no Config.
func Load(o LoadOptions) (*Config, error) {
	p := newParser(o.Environ)
	if len(o.Paths) == 0 {
		p.lost("No configuration", "No file and no folder was named. "+namePaths)
	}
	var files []File
	seen := map[string]bool{}
	for _, path := range o.Paths {
		for _, name := range p.expand(path) {
			if seen[filepath.Clean(name)] {
				continue
			}
			seen[filepath.Clean(name)] = true
			text, err := readFile(name)
			if err != nil {
				p.lost("Unreadable configuration", sentence(err)+" "+namePaths)
				continue
			}
			files = append(files, File{Name: name, Source: text})
		}
	}
	return p.parse(files)
}

const namePaths = "Name existing job files with -config-file, folders of *.hcl files with -config-dir, " +
	"or both in " + pathsVariable + " with \":\" between."

// DefaultPaths returns the files and folders to read where the command line
// names none: those of CONSUL_OCSP_CONFIG with ":" between, else
// /etc/consul-ocsp.d.
func DefaultPaths(environ func(name string) (string, bool)) []string {
	if environ == nil {
		return []string{defaultFolder}
	}
	list, _ := environ(pathsVariable)
	var paths []string
	for path := range strings.SplitSeq(list, ":") {
		if path != "" {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return []string{defaultFolder}
	}
	return paths
}

// expand returns the files that a path stands for.
func (p *parser) expand(path string) []string {
	info, err := os.Stat(path)
	if err != nil {
		p.lost("Configuration not found", sentence(err)+" "+namePaths)
		return nil
	}
	if !info.IsDir() {
		return []string{path}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		p.lost("Unreadable configuration", sentence(err)+" Let the user that runs consul-ocsp list this folder.")
		return nil
	}
	var files []string
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || strings.HasPrefix(name, ".") || filepath.Ext(name) != ".hcl" {
			continue
		}
		files = append(files, filepath.Join(path, name))
	}
	if len(files) == 0 {
		p.lost("No configuration", fmt.Sprintf("The folder %s holds no file that ends in .hcl. %s", path, namePaths))
	}
	return files
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	}
	return text, nil
}

// lost adds an error that has no place in a file.
func (p *parser) lost(summary, detail string) {
	p.diags = append(p.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail})
}

// sentence says what the system said, without the name of its call.
func sentence(err error) string {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return fmt.Sprintf("%s: %v.", failed.Path, failed.Err)
	}
	return err.Error() + "."
}
