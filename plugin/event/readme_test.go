package event

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What the README says of an event is what one has, for the JSON as for a command.
func TestReadmeHasWhatAnEventHas(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "\nThe JSON has ")
	text, _, _ = strings.Cut(text, "\n\n")
	inJSON, ofCommand, _ := strings.Cut(text, "A command also gets")
	for name := range strings.SplitSeq(inJSON, "`") {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == "" && name != "" && !slices.ContainsFunc(reflect.VisibleFields(reflect.TypeFor[Event]()), func(f reflect.StructField) bool {
			return strings.Split(f.Tag.Get("json"), ",")[0] == name
		}) {
			t.Errorf("the README has %s, which an event has not", name)
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Event]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !strings.Contains(inJSON, "`"+name+"`") {
			t.Errorf("the README does not have %s", name)
		}
	}
	for _, v := range (Event{}).environment() {
		name, _, _ := strings.Cut(strings.TrimPrefix(v, "CONSUL_OCSP"), "=")
		if !strings.Contains(ofCommand, name+"`") {
			t.Errorf("the README does not have CONSUL_OCSP%s", name)
		}
	}
}
