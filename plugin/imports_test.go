package plugin

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/consul-ocsp/consul-ocsp/"

// mayImport is who may import whom: data flows one way through the packages. A
// star stands for every package of a folder.
var mayImport = map[string][]string{
	"plugin/record":              {},
	"plugin/staple":              {},
	"plugin/regularfile":         {},
	"plugin/foldersync":          {},
	"plugin/filesync":            {},
	"plugin/haproxy":             {"plugin/program", "plugin/regularfile"},
	"plugin/haproxy/haproxytest": {"plugin/logtest"},
	"plugin/logtest":             {},
	"plugin/program":             {},
	"plugin/clocktest":           {},
	"plugin/ration":              {},
	"plugin/listener":            {},
	"plugin/testca":              {},
	"plugin/testca/testcatest":   {"plugin/testca"},
	"hclconfig":                  {},
	"consul/consultest":          {},
	"plugin/responder":           {"plugin/staple"},
	"plugin/handshake":           {"plugin/staple"},
	"plugin/issuer":              {"plugin/staple", "plugin/responder"},
	"consul":                     {"plugin/record"},
	"plugin/store":               {"plugin/record", "plugin/regularfile", "plugin/foldersync", "plugin/filesync"},
	"plugin/inventory":           {"plugin/staple", "plugin/haproxy", "plugin/regularfile"},
	"plugin/canary":              {"plugin/record", "plugin/program"},
	"plugin/served":              {"plugin/record", "plugin/haproxy", "plugin/inventory"},
	"plugin/event":               {"plugin/record", "plugin/program"},
	"plugin/fetcher":             {"plugin/staple", "plugin/record", "plugin/responder", "plugin/ration"},
	"plugin/writer":              {"plugin/staple", "plugin/record", "plugin/program", "plugin/foldersync", "plugin/filesync", "plugin/ration"},
	"plugin/haproxytarget":       {"plugin/staple", "plugin/record", "plugin/haproxy", "plugin/writer"},
	"plugin/settings":            {"hclconfig", "plugin/staple", "plugin/regularfile", "plugin/responder", "plugin/inventory", "plugin/fetcher", "plugin/writer", "plugin/haproxy", "plugin/haproxytarget"},
	"plugin/truths":              {"plugin/settings", "plugin/staple", "plugin/status", "plugin/inventory", "plugin/issuer", "plugin/writer", "plugin/haproxy", "plugin/haproxytarget", "plugin/served", "plugin/handshake"},
	"plugin/prospects":           {"hclconfig", "plugin/settings", "plugin/staple", "plugin/inventory", "plugin/writer", "plugin/haproxy", "plugin/haproxytarget", "plugin/served"},
	"plugin/fold":                {"hclconfig"},
	"plugin/chronicle":           {"plugin/record", "plugin/store", "plugin/staple", "plugin/writer"},
	"plugin/restaple":            {"plugin/staple", "plugin/record", "plugin/regularfile", "plugin/responder", "plugin/issuer", "plugin/haproxy", "plugin/haproxytarget", "plugin/writer"},
	"plugin/render":              {"plugin/staple", "plugin/record"},
	"plugin/status":              {"plugin/staple", "plugin/record"},
	"plugin/pull":                {"plugin/staple", "plugin/record"},
	"plugin":                     {"plugin/*", "consul", "hclconfig"},
	"cmd/consul-ocsp":            {"plugin", "plugin/*", "hclconfig"},
}

// mayNot are the exceptions to a star.
var mayNot = map[string][]string{
	"plugin":          {"plugin/testca", "plugin/testca/testcatest"},
	"cmd/consul-ocsp": {"plugin/testca/testcatest", "plugin/fetcher", "plugin/writer", "plugin/inventory"},
}

func TestImports(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		seen[from] = true
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("%s: the table does not know this package", from)
		}
		for _, path := range p.Imports {
			to, ours := strings.CutPrefix(path, module)
			if ours && (!permitted(allowed, to) || slices.Contains(mayNot[from], to)) {
				t.Errorf("%s must not import %s", from, to)
			}
		}
	}
	for p := range mayImport {
		if !seen[p] {
			t.Errorf("%s: the table names a package that is not there", p)
		}
	}
}

func permitted(allowed []string, to string) bool {
	for _, a := range allowed {
		if folder, all := strings.CutSuffix(a, "/*"); a == to || all && strings.HasPrefix(to, folder+"/") {
			return true
		}
	}
	return false
}
