package hclconfig

import (
	"fmt"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// File is the text of a job file and the name it has in diagnostics.
type File struct {
	Name   string
	Source []byte
}

// Parse checks texts as one configuration. Its error is as Load's.
func Parse(files []File, environ func(name string) (string, bool)) (*Config, error) {
	return newParser(environ).parse(files)
}

// parser collects what is wrong with a configuration. Its methods go on after
// an error, so that one run finds all of them.
type parser struct {
	environ func(string) (string, bool)
	diags   hcl.Diagnostics
	files   map[string]*hcl.File // for snippets
	order   map[string]int       // of the files, to sort diagnostics by
	places  map[Source]hcl.Range // of blocks, for what is found out later
	// reference takes down what is asked for; nil: nobody wants to know.
	reference *reference
}

func newParser(environ func(string) (string, bool)) *parser {
	if environ == nil {
		environ = func(string) (string, bool) { return "", false }
	}
	return &parser{environ: environ, files: map[string]*hcl.File{}, order: map[string]int{}, places: map[Source]hcl.Range{}}
}

func (p *parser) parse(files []File) (*Config, error) {
	top := &block{p: p, attrs: map[string]*hclsyntax.Attribute{}}
	sound := true
	var names []string
	for i, f := range files {
		names = append(names, f.Name)
		p.order[f.Name] = i
		body, ok := p.syntax(f)
		if !ok {
			// What a broken file would have held is not known: its pieces
			// would only give errors that vanish with the first one.
			sound = false
			continue
		}
		p.merge(top, body)
	}
	if len(files) == 0 && len(p.diags) == 0 {
		p.lost("No configuration", "There is no text to read. "+namePaths)
	}
	c := p.config(top)
	c.Files = names
	if sound && len(p.diags) == 0 {
		p.checkWhole(c)
	}
	if len(p.diags) > 0 {
		return nil, p.diagnostics()
	}
	return c, nil
}

// syntax reads one file and keeps it for snippets.
func (p *parser) syntax(f File) (*hclsyntax.Body, bool) {
	p.files[f.Name] = &hcl.File{Bytes: f.Source}
	if !p.shallow(f) {
		return nil, false
	}
	file, diags := hclsyntax.ParseConfig(f.Source, f.Name, hcl.InitialPos)
	if file != nil {
		p.files[f.Name].Nav = file.Nav
	}
	p.diags = append(p.diags, diags...)
	if file == nil || diags.HasErrors() {
		return nil, false
	}
	return file.Body.(*hclsyntax.Body), true
}

// merge adds a file's top level to that of the files before it.
func (p *parser) merge(top *block, body *hclsyntax.Body) {
	for _, attr := range inOrder(body.Attributes) {
		if first, ok := top.attrs[attr.Name]; ok {
			p.duplicate(attr.Name, attr.SrcRange, first.SrcRange)
			continue
		}
		top.attrs[attr.Name] = attr
	}
	top.nested = append(top.nested, body.Blocks...)
}

// inOrder returns attributes as they stand in the file.
func inOrder(attrs map[string]*hclsyntax.Attribute) []*hclsyntax.Attribute {
	list := make([]*hclsyntax.Attribute, 0, len(attrs))
	for _, a := range attrs {
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].SrcRange.Start.Byte < list[j].SrcRange.Start.Byte })
	return list
}

// fail adds an error at a place.
func (p *parser) fail(at hcl.Range, summary, detail string) {
	p.diags = append(p.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   detail,
		Subject:  &at,
	})
}

// invalid adds the error that a named value is not what it has to be.
func (p *parser) invalid(name string, at hcl.Range, detail string) {
	p.fail(at, "Invalid "+name, detail)
}

// duplicate adds the error that something is there twice.
func (p *parser) duplicate(what string, at, first hcl.Range) {
	p.fail(at, "Duplicate "+what,
		fmt.Sprintf("%s is already at %s. Keep one of the two.", what, sourceOf(first)))
}

func sourceOf(r hcl.Range) Source { return Source{File: r.Filename, Line: r.Start.Line} }
