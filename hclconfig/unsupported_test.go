package hclconfig

import (
	"os"
	"strings"
	"testing"
)

// Each row of the list is refused in a file of testdata/bad, and a row that is
// removed has to leave it.
func TestEveryUnsupportedSettingIsRefused(t *testing.T) {
	var shown string
	for _, name := range []string{"not-supported-blocks"} {
		text, err := os.ReadFile("testdata/bad/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		shown += string(text)
	}
	rows := map[string]bool{}
	for _, row := range notYet() {
		rows[row.name] = true
		if !strings.Contains(shown, "Error: "+row.name+" is not supported in this version\n") {
			t.Errorf("%s is in no file", row.name)
		}
	}
	for line := range strings.Lines(shown) {
		name, found := strings.CutSuffix(strings.TrimPrefix(line, "Error: "), " is not supported in this version\n")
		if found && !rows[name] {
			t.Errorf("%s is refused and in no row", name)
		}
	}
}
