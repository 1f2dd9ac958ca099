package hclconfig

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func job(name string) string {
	return "job \"" + name + "\" {\n  certificate \"www\" {\n    path = \"/srv/" + name + ".pem\"\n  }\n}\n"
}

func TestLoadFoldersInLexicalOrder(t *testing.T) {
	dir := folder(t, map[string]string{
		"20-b.hcl": job("b"), "10-a.hcl": job("a"), "3-c.hcl": job("c"),
		".30-hidden.hcl": "broken", "40-old.hcl~": "broken", "README": "broken",
	})
	if err := os.Mkdir(filepath.Join(dir, "sub.hcl"), 0o700); err != nil {
		t.Fatal(err)
	}
	other := folder(t, map[string]string{"job.conf": job("z")})
	file := filepath.Join(other, "job.conf")

	c := load(t, nil, file, dir, filepath.Join(dir, "10-a.hcl"))
	var names []string
	for _, j := range c.Jobs {
		names = append(names, j.Name)
	}
	if got := strings.Join(names, " "); got != "z a b c" {
		t.Errorf("jobs are in the order %s", got)
	}
	want := []string{file, filepath.Join(dir, "10-a.hcl"), filepath.Join(dir, "20-b.hcl"), filepath.Join(dir, "3-c.hcl")}
	if !slices.Equal(c.Files, want) {
		t.Errorf("files are %s", c.Files)
	}
}

func TestLoadRefuses(t *testing.T) {
	empty := t.TempDir()
	large := folder(t, map[string]string{"a.hcl": strings.Repeat("# \n", maxFile/3+1)})
	for name, test := range map[string]struct {
		paths []string
		want  string
	}{
		"nothing":      {nil, "No file and no folder was named"},
		"missing file": {[]string{filepath.Join(empty, "a.hcl")}, "a.hcl: no such file or directory"},
		"empty folder": {[]string{empty}, "holds no file that ends in .hcl"},
		"large file":   {[]string{large}, "is larger than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			d := refuse(t, test.paths...)
			if d.Len() != 1 || !strings.Contains(d.Error(), test.want) || !strings.Contains(d.Error(), "-config-file") {
				t.Errorf("got %v", d)
			}
		})
	}
	if _, err := Parse(nil, nil); err == nil {
		t.Error("no text is a configuration")
	}
}

// Whatever is wrong is said at once, files that could be read included.
func TestLoadCollects(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.hcl": "log_level = \"loud\"\nannounce {}\n",
		"b.hcl": "consul {\n",
		"c.hcl": "data_dir = 5\n",
	})
	d := refuse(t, filepath.Join(dir, "none.hcl"), dir)
	lines := strings.Split(d.Error(), "\n")
	for i, want := range []string{"none.hcl", "a.hcl:1: Invalid log_level", "b.hcl:", "c.hcl:1: Invalid data_dir"} {
		if i >= len(lines) || !strings.Contains(lines[i], want) {
			t.Fatalf("error %d is not about %s:\n%s", i, want, d)
		}
	}
	// The consul block is in the file that can't be read.
	if strings.Contains(d.Error(), "announce without consul") {
		t.Errorf("a consequence is shown as an error:\n%s", d)
	}
}

func TestDuplicatesAcrossFilesNameBothPlaces(t *testing.T) {
	a := "log_level = \"info\"\nconsul {}\nfetch {}\nannounce {}\n" + job("edge")
	dir := folder(t, map[string]string{"a.hcl": a, "b.hcl": "\n" + a})
	got := refuse(t, dir).Error()
	for _, want := range []string{
		"b.hcl:2: Duplicate log_level: log_level is already at " + dir + "/a.hcl:1.",
		"b.hcl:3: Duplicate block consul: block consul is already at " + dir + "/a.hcl:2.",
		"b.hcl:4: Duplicate block fetch: block fetch is already at " + dir + "/a.hcl:3.",
		"b.hcl:5: Duplicate block announce: block announce is already at " + dir + "/a.hcl:4.",
		"b.hcl:6: Duplicate job \"edge\": job \"edge\" is already at " + dir + "/a.hcl:5.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing: %s\nin\n%s", want, got)
		}
	}
}

// A fetch block in a later file counts for the jobs of an earlier one.
func TestFilesCountTogether(t *testing.T) {
	dir := folder(t, map[string]string{"a.hcl": job("edge"), "b.hcl": "fetch {\n  rate = 7\n}\n"})
	if c := load(t, nil, dir); c.Jobs[0].Certificates[0].Fetch.Rate != 7 {
		t.Error("the order of the files decides")
	}
}

func TestJobsAreOptionalInACluster(t *testing.T) {
	if _, err := Parse([]File{{Name: "a.hcl", Source: []byte("consul {}\nroles = [\"fetch\"]\n")}}, nil); err != nil {
		t.Error(err)
	}
	if _, err := Parse([]File{{Name: "a.hcl"}}, nil); err == nil {
		t.Error("an empty file is a configuration")
	}
}

func TestDefaultPaths(t *testing.T) {
	for list, want := range map[string][]string{
		"":              {"/etc/consul-ocsp.d"},
		":":             {"/etc/consul-ocsp.d"},
		"/a":            {"/a"},
		"/a:/b/c.hcl::": {"/a", "/b/c.hcl"},
	} {
		if got := DefaultPaths(environ("CONSUL_OCSP_CONFIG", list)); !slices.Equal(got, want) {
			t.Errorf("%q means %s", list, got)
		}
	}
	if got := DefaultPaths(nil); !slices.Equal(got, []string{"/etc/consul-ocsp.d"}) {
		t.Errorf("without environment: %s", got)
	}
}

func TestSentenceNamesThePath(t *testing.T) {
	if got := sentence(&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}); got != "/x: permission denied." {
		t.Error(got)
	}
}
