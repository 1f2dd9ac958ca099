package hclconfig

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Setting is one attribute that a job file may hold, as the code that checks it
// has it.
type Setting struct {
	Block   string // "" at the top level, else the kinds of the blocks around it, as in `job deliver "haproxy"`
	Name    string
	Kind    string // string, list of strings, bool, number, duration
	Default string // as job files write it; empty where there is none
	Allowed string // what is accepted besides the kind; may be empty
	// Example is set where the setting is required.
	Example string
	// Text says what it is for; may be empty.
	Text string
}

// Reference is every setting, in the order of the default file, and what is said
// there of each block, by path.
func Reference() (settings []Setting, blocks map[string]string) {
	p := newParser(nil)
	p.reference = newReference()
	// What is missing in these blocks is complained of, and nothing else is asked.
	_, _ = p.parse([]File{{Name: "reference", Source: []byte(everyBlock)}})
	texts, blocks, order := explained(defaults)
	list := p.reference.settings
	for i := range list {
		s := &list[i]
		s.Text = texts[[2]string{s.Block, s.Name}]
		if example, ok := p.reference.required[[2]string{s.Block, s.Name}]; ok {
			s.Default, s.Example = "", example
		}
	}
	slices.SortStableFunc(list, func(a, b Setting) int { return position(order, a.Block) - position(order, b.Block) })
	return list, blocks
}

// everyBlock is a file with one block of each kind.
const everyBlock = `
http {
  tls {}
}
pull {}
telemetry {}
service {}
consul {
  tls {}
}
announce {}
fetch {}
on_event {}
job "edge" {
  certificate "www" {}
  certificates {}
  crt_list {}
  haproxy_config {}
  deliver "haproxy" {}
  deliver "nginx" {}
  deliver "exec" {}
  canary {}
}
`

// defaults is the file that spells out every default.
//
//go:embed testdata/good/defaults.hcl
var defaults string

// reference takes down what a parser asks for.
type reference struct {
	settings []Setting
	required map[[2]string]string
	// looked are the kinds of blocks that were looked for, entered those that
	// were there.
	looked, entered map[string]bool
}

func newReference() *reference {
	return &reference{required: map[[2]string]string{}, looked: map[string]bool{}, entered: map[string]bool{}}
}

func (r *reference) require(block, name, example string) {
	if r != nil {
		r.required[[2]string{block, name}] = example
	}
}

// block takes down that blocks of a kind were looked for, and how many were there.
func (r *reference) block(path string, found int) {
	if r != nil {
		r.looked[path] = true
		r.entered[path] = r.entered[path] || found > 0
	}
}

// note takes down one setting with the default that it has now.
func (b *block) note(name, kind string, standard any, allowed string) {
	r := b.p.reference
	if r == nil || slices.ContainsFunc(r.settings, func(s Setting) bool { return s.Block == b.path && s.Name == name }) {
		return
	}
	if d, ok := standard.(time.Duration); ok {
		standard = short(d)
	}
	if list, ok := standard.([]string); ok && list == nil {
		standard = []string{}
	}
	r.settings = append(r.settings, Setting{Block: b.path, Name: name, Kind: kind, Default: literal(standard), Allowed: strings.TrimPrefix(allowed, "it is ")})
}

// checked is which words pass the checks, if they say so to one that does not.
func checked(checks []check) string {
	for _, c := range checks {
		if _, words, ok := strings.Cut(c("no such word"), " is not one of "); ok {
			words, _, _ = strings.Cut(words, ".")
			return words
		}
	}
	return ""
}

func between(least, most int) string { return fmt.Sprintf("from %d to %d", least, most) }

func position(order []string, block string) int {
	if i := slices.Index(order, block); i >= 0 {
		return i
	}
	return len(order)
}

var (
	opening = regexp.MustCompile(`^(\w+)((?: "\w+")*) \{(\})?$`)
	setting = regexp.MustCompile(`^(\w+) += (.*)$`)
	// commented is a block or setting that a comment shows.
	commented = regexp.MustCompile(`^# ( *(?:\w+(?: "\w+")* \{|\w+ += .*|\}))$`)
)

// explained takes what the default file says of settings and blocks: the comment
// behind one, or the lines before it. order is that of its blocks.
func explained(file string) (texts map[[2]string]string, blocks map[string]string, order []string) {
	texts, blocks, order = map[[2]string]string{}, map[string]string{}, []string{""}
	var path, before []string
	for line := range strings.Lines(file) {
		line = strings.TrimSpace(line)
		if m := commented.FindStringSubmatch(line); m != nil {
			line = strings.TrimSpace(m[1])
		}
		here := strings.Join(path, " ")
		switch {
		case strings.HasPrefix(line, "#"):
			before = append(before, strings.TrimSpace(line[1:]))
			continue
		case line == "}" && len(path) > 0:
			path = path[:len(path)-1]
		case opening.MatchString(line):
			m := opening.FindStringSubmatch(line)
			name := m[1]
			if name == "deliver" {
				name += m[2]
			}
			inner := strings.TrimSpace(here + " " + name)
			blocks[inner] = strings.Join(before, " ")
			if order = append(order, inner); m[3] == "" {
				path = append(path, name)
			}
		case setting.MatchString(line):
			m := setting.FindStringSubmatch(line)
			text := strings.Join(before, " ")
			if _, comment, ok := cutComment(m[2]); ok {
				text = comment
			}
			texts[[2]string{here, m[1]}] = strings.TrimPrefix(strings.TrimPrefix(text, "required"), "; ")
		}
		before = nil
	}
	return texts, blocks, order
}

// cutComment is what stands behind a value; a "#" in quotes begins none.
func cutComment(value string) (before, comment string, ok bool) {
	quoted := false
	for i, c := range value {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted:
			return value[:i], strings.TrimSpace(value[i+1:]), true
		}
	}
	return value, "", false
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
