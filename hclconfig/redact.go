package hclconfig

import (
	"bytes"
	"regexp"
)

// redact returns a copy of a job file for snippets in which tokens and the
// passwords of URLs are blanked out with as many asterisks, so that places
// still fit. It works on the text, since a file that can't be parsed is shown
// too, and rather blanks out too much: whatever is set to a name like "token"
// but for the name of a file and references to the environment.
func redact(source []byte) []byte {
	text := bytes.Clone(source)
	assigned := regexp.MustCompile(`(?i)\b([a-z0-9_-]*(?:tok|secret|passw)[a-z0-9_-]*)"?[ \t]*[=:]?[ \t]*(.*)`)
	for _, m := range assigned.FindAllSubmatchIndex(source, -1) {
		name, value := source[m[2]:m[3]], source[m[4]:m[5]]
		if bytes.HasSuffix(bytes.ToLower(name), []byte("_file")) || fromEnvironment(value) {
			continue
		}
		blank(text[m[4]:m[5]])
	}
	for _, m := range regexp.MustCompile(`<<-?[ \t]*(\w+)[ \t]*\r?\n`).FindAllSubmatchIndex(source, -1) {
		line := source[bytes.LastIndexByte(source[:m[0]], '\n')+1 : m[0]]
		if !assigned.Match(line) {
			continue
		}
		end := bytes.Index(source[m[1]:], source[m[2]:m[3]])
		if end < 0 {
			end = len(source) - m[1]
		}
		blank(text[m[1] : m[1]+end])
	}
	for _, m := range regexp.MustCompile(`(?://|")([^/@\s":]*:[^/@\s"]*)@`).FindAllSubmatchIndex(source, -1) {
		blank(text[m[2]:m[3]])
	}
	return text
}

func fromEnvironment(value []byte) bool {
	return regexp.MustCompile(`^("\$\{ *env\.\w+ *\}"|env\.\w+)\s*(#.*|//.*)?$`).Match(bytes.TrimSpace(value))
}

// blank keeps quotes, and line ends since places count lines.
func blank(b []byte) {
	for i, c := range b {
		if c != '"' && c != '\n' && c != '\r' {
			b[i] = '*'
		}
	}
}
