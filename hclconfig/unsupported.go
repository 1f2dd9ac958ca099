package hclconfig

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// unsupported is a setting that is read and checked but that this version
// can't act on. To ignore it would be worse than to refuse it.
type unsupported struct {
	name     string // kind of block and attribute, or the kind alone
	standard any    // the default, which is accepted; nil: the block itself is refused
}

// notYet is the whole list. A version that learns one of them removes its row.
func notYet() []unsupported {
	return []unsupported{
		{"canary", nil},
	}
}

// supported refuses an attribute that is in the list and not at its default.
func (b *block) supported(a *hclsyntax.Attribute, value any) {
	name := a.Name
	if b.kind != "" {
		name = b.kind + "." + name
	}
	for _, row := range notYet() {
		if row.name == name && !reflect.DeepEqual(row.standard, value) {
			b.p.fail(a.SrcRange, name+" is not supported in this version",
				fmt.Sprintf("This version reads the setting and can do nothing but its default, %s = %s. Remove the line.", a.Name, literal(row.standard)))
		}
	}
}

// present refuses a block that is in the list.
func (p *parser) present(b *block) {
	for _, row := range notYet() {
		if row.name == b.kind && row.standard == nil {
			p.fail(b.at, b.kind+" is not supported in this version",
				"This version reads the block and can do nothing with it. Remove it.")
		}
	}
}

// literal writes a default as job files do.
func literal(v any) string {
	if d, ok := v.(time.Duration); ok {
		v = short(d)
	}
	if list, ok := v.([]string); ok && len(list) == 0 {
		return "[]"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "its default"
	}
	return string(text)
}
