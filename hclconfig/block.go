package hclconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// block reads one block. Whoever reads it asks for each name that the block
// may hold and calls done at the end, which refuses what nobody asked for: so
// the reading code is the schema.
type block struct {
	p      *parser
	title  string // as in messages
	path   string // the blocks around it and itself, for the reference
	labels []string
	at     hcl.Range
	attrs  map[string]*hclsyntax.Attribute
	nested []*hclsyntax.Block

	names []string // attributes asked for
	types []string // blocks asked for
}

// source returns the block's place and keeps it for errors found later.
func (b *block) source() Source {
	s := sourceOf(b.at)
	b.p.places[s] = b.at
	return s
}

// label returns the label at i, or "" where it is missing.
func (b *block) label(i int) string {
	if i < len(b.labels) {
		return b.labels[i]
	}
	return ""
}

// has tells whether the block sets an attribute itself.
func (b *block) has(name string) bool { return b.attrs[name] != nil }

// place returns where an attribute's value is, else where the block begins.
func (b *block) place(names ...string) hcl.Range {
	for _, name := range names {
		if a := b.attrs[name]; a != nil {
			return a.Expr.Range()
		}
	}
	return b.at
}

// attr asks for an attribute.
func (b *block) attr(name string) *hclsyntax.Attribute {
	b.names = append(b.names, name)
	return b.attrs[name]
}

// require refuses a block without an attribute that has no default.
func (b *block) require(name, example string) {
	b.p.reference.require(b.path, name, example)
	if b.attrs[name] == nil {
		b.p.fail(b.at, "Missing "+name, fmt.Sprintf("%s has no default for %s. Write for example:\n  %s = %s", b.title, name, name, example))
	}
}

// all asks for the blocks of a type, in order. labels are what its labels are
// called; a name in brackets may be left out.
func (b *block) all(typ string, labels ...string) []*block {
	b.types = append(b.types, typ)
	var list []*block
	for _, nested := range b.nested {
		if nested.Type == typ {
			list = append(list, b.enter(nested, labels))
		}
	}
	b.p.reference.block(strings.TrimSpace(b.path+" "+typ), len(list))
	return list
}

// one asks for a block that may be there once; nil where it isn't.
func (b *block) one(typ string, labels ...string) *block {
	list := b.all(typ, labels...)
	if len(list) == 0 {
		return nil
	}
	for _, other := range list[1:] {
		b.p.duplicate("block "+typ, other.at, list[0].at)
	}
	return list[0]
}

// enter begins to read a nested block.
func (b *block) enter(nested *hclsyntax.Block, labels []string) *block {
	inner := &block{
		p:      b.p,
		title:  nested.Type,
		labels: nested.Labels,
		at:     nested.DefRange(),
		attrs:  nested.Body.Attributes,
		nested: nested.Body.Blocks,
	}
	for _, label := range nested.Labels {
		inner.title += fmt.Sprintf(" %q", label)
	}
	inner.path = strings.TrimSpace(b.path + " " + nested.Type)
	if nested.Type == "deliver" {
		inner.path += fmt.Sprintf(" %q", inner.label(0))
	}
	if nested.Type == "tls" {
		inner.title = b.title + "'s tls"
	}
	least := len(labels)
	for least > 0 && strings.HasPrefix(labels[least-1], "[") {
		least--
	}
	if n := len(nested.Labels); n < least || n > len(labels) {
		form := strings.Join(append([]string{nested.Type}, labels...), " ")
		b.p.fail(inner.at, "Wrong labels of "+nested.Type, fmt.Sprintf("It has %d, but is written %s { … }.", n, form))
		return inner
	}
	for i, label := range nested.Labels {
		if problem := isLabel(label); problem != "" {
			b.p.invalid("label of "+nested.Type, nested.LabelRanges[i], problem)
		}
	}
	return inner
}

// distinct refuses blocks of one type whose labels are the same.
func (b *block) distinct(list []*block) {
	first := map[string]*block{}
	for _, inner := range list {
		if before, ok := first[inner.title]; ok {
			b.p.duplicate(inner.title, inner.at, before.at)
			continue
		}
		first[inner.title] = inner
	}
}

// done refuses everything in the block that was not asked for.
func (b *block) done() {
	for _, a := range inOrder(b.attrs) {
		switch {
		case slices.Contains(b.names, a.Name):
		case slices.Contains(b.types, a.Name):
			b.p.fail(a.NameRange, a.Name+" is a block", fmt.Sprintf("Write it without the equals sign: %s { … }.", a.Name))
		default:
			b.unknown("attribute", a.Name, a.NameRange, b.names)
		}
	}
	for _, nested := range b.nested {
		switch {
		case slices.Contains(b.types, nested.Type):
		case slices.Contains(b.names, nested.Type):
			b.p.fail(nested.TypeRange, nested.Type+" is an attribute", fmt.Sprintf("Write it with an equals sign: %s = …", nested.Type))
		default:
			b.unknown("block", nested.Type, nested.TypeRange, b.types)
		}
	}
}

// unknown refuses a name and says which ones there are.
func (b *block) unknown(what, name string, at hcl.Range, valid []string) {
	in := "in " + b.title
	if b.title == "" {
		in = "at the top level"
	}
	detail := fmt.Sprintf("There is no %s %q %s.", what, name, in)
	if near := nearest(name, valid); near != "" {
		detail += fmt.Sprintf(" Did you mean %q?", near)
	} else if near := nearest(name, b.types); near != "" {
		detail += fmt.Sprintf(" Did you mean the block %s { … }?", near)
	} else if near := nearest(name, b.names); near != "" {
		detail += fmt.Sprintf(" Did you mean the attribute %s = …?", near)
	}
	if len(valid) == 0 {
		detail += " It holds none of that kind."
	} else {
		detail += " Valid: " + strings.Join(valid, ", ") + "."
	}
	b.p.fail(at, "Unknown "+what, detail)
}

// nearest returns the valid name that a mistyped one is most like, or "".
func nearest(name string, valid []string) string {
	best, least := "", 1+len(name)/3
	for _, v := range valid {
		if d := levenshtein.Distance(strings.ToLower(name), v, nil); d < least || d == least && best == "" {
			best, least = v, d
		}
	}
	return best
}
