package status

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-update writes it anew):\n%s", path, d)
	}
}

func TestGolden(t *testing.T) {
	own := cluster()
	for _, c := range []struct {
		file   string
		report *Report
		o      TableOptions
	}{
		{"cluster-80.txt", FromSnapshot(cluster(), noon), TableOptions{Width: 80}},
		{"cluster-wide.txt", FromSnapshot(cluster(), noon), TableOptions{}},
		{"cluster-color.txt", FromSnapshot(cluster(), noon), TableOptions{Width: 80, Color: true}},
		{"calm-local.txt", FromSnapshot(calm(), noon), TableOptions{Width: 100, Local: time.FixedZone("CET", 3600)}},
		{"data_dir.txt", FromStore(own.Metas, own.Troubles, nil, nil, noon), TableOptions{Width: 80}},
		{"empty.txt", FromSnapshot(nil, noon), TableOptions{Width: 80}},
	} {
		t.Run(c.file, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.report.WriteTable(&b, c.o); err != nil {
				t.Fatal(err)
			}
			golden(t, c.file, b.Bytes())
			if c.o.Width == 0 || c.o.Color {
				return
			}
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > c.o.Width {
					t.Errorf("%d characters: %s", n, line)
				}
			}
		})
	}
}

func TestGoldenJSON(t *testing.T) {
	for file, r := range map[string]*Report{
		"cluster.json":  FromSnapshot(cluster(), noon),
		"data_dir.json": FromStore(map[string]record.Meta{id("1"): meta("www", 12*time.Hour, 6*day, nil)}, nil, nil, nil, noon),
		"empty.json":    FromSnapshot(nil, noon),
	} {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, file, b.Bytes())
		if strings.Contains(b.String(), `: null`) && !strings.Contains(b.String(), `"leader": null`) {
			t.Errorf("%s: a list is null", file)
		}
	}
}
