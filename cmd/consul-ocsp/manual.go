package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// The manual pages are in the language of man(7), which every system's man
// understands.

// commandsManual is consul-ocsp(1): what -h of every command says.
func commandsManual(list []*command) string {
	m := newManual("CONSUL-OCSP", 1, "User Commands")
	m.section("NAME")
	m.text("consul-ocsp - fetches OCSP responses once per cluster and has them stapled on every node")
	m.section("SYNOPSIS")
	m.text("consul-ocsp COMMAND [flags] [arguments]")
	m.section("COMMANDS")
	for _, c := range list {
		m.subsection("consul-ocsp " + c.usage)
		m.verbatim(strings.TrimPrefix(c.Help(), "usage: consul-ocsp "+c.usage+"\n\n"))
	}
	m.section("EXIT STATUS")
	m.text("Where a command's text says nothing else: 0 it did what it was asked, 1 it failed, 2 wrong flags, arguments or configuration, 3 some of it failed.")
	m.section("FILES")
	m.text("/etc/consul-ocsp.d/*.hcl: job files, where neither flags nor CONSUL_OCSP_CONFIG name others")
	m.section("SEE ALSO")
	m.text("consul-ocsp.hcl(5)")
	return m.String()
}

// jobFileManual is consul-ocsp.hcl(5): every setting that a job file may have.
func jobFileManual(settings []hclconfig.Setting, blocks map[string]string) string {
	m := newManual("CONSUL-OCSP.HCL", 5, "File Formats")
	m.section("NAME")
	m.text("consul-ocsp.hcl - job files of consul-ocsp")
	m.section("DESCRIPTION")
	m.text(jobFileIntroduction)
	block := "-"
	for _, s := range settings {
		if s.Block != block {
			block = s.Block
			m.section(strings.ToUpper(blockTitle(block)))
			m.text(blocks[block])
		}
		m.item(fmt.Sprintf("%s (%s)", s.Name, settingSummary(s)), s.Text)
	}
	m.section("SEE ALSO")
	m.text("consul-ocsp(1)")
	return m.String()
}

// settingSummary is kind, bounds and default in a line.
func settingSummary(s hclconfig.Setting) string {
	text := s.Kind
	if s.Allowed != "" {
		text += ": " + s.Allowed
	}
	if s.Example != "" {
		return text + "; required, as in " + s.Example
	}
	return text + "; default " + s.Default
}

type manual struct{ strings.Builder }

func newManual(name string, section int, group string) *manual {
	m := &manual{}
	fmt.Fprintf(m, ".TH %s %d \"\" \"consul-ocsp\" \"%s\"\n", name, section, group)
	return m
}

func (m *manual) section(title string)    { fmt.Fprintf(m, ".SH \"%s\"\n", roff(title)) }
func (m *manual) subsection(title string) { fmt.Fprintf(m, ".SS \"%s\"\n", roff(title)) }

func (m *manual) text(text string) {
	if text != "" {
		fmt.Fprintf(m, "%s\n", roff(text))
	}
}

func (m *manual) item(title, text string) {
	fmt.Fprintf(m, ".TP\n\\fB%s\\fR\n", roff(title))
	m.text(text)
}

// verbatim keeps lines as they are.
func (m *manual) verbatim(text string) {
	m.WriteString(".nf\n")
	for line := range strings.Lines(text) {
		m.WriteString(roff(strings.TrimRight(line, "\n")) + "\n")
	}
	m.WriteString(".fi\n")
}

// roff writes text so that nothing in it is an instruction.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `"`, `\(dq`).Replace(text)
	var b strings.Builder
	for _, r := range text {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		} else {
			b.WriteRune(r)
		}
	}
	text = b.String()
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
