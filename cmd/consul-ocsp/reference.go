package main

import (
	"fmt"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

const jobFileIntroduction = "Job files are written in HCL. A configuration may be split over several files, whose settings count together. " +
	"${env.NAME} in a string is replaced from the environment. Durations are strings with units, as in \"1h30m\"; paths are absolute. " +
	"Settings that are left out have their defaults."

// reference is the page of every setting.
func reference(settings []hclconfig.Setting, blocks map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The job file, setting by setting\n\n%s\n\n", jobFileIntroduction)
	b.WriteString("This page is made from the code that checks job files, by `make docs`. [README.md](README.md#the-job-file) shows the same as a file.\n")
	block := "-"
	for _, s := range settings {
		if s.Block != block {
			block = s.Block
			fmt.Fprintf(&b, "\n## %s\n\n", blockTitle(block))
			if text := blocks[block]; text != "" {
				fmt.Fprintf(&b, "%s\n\n", markdown(text))
			}
			b.WriteString("| setting | kind | default | what it is for |\n|---|---|---|---|\n")
		}
		standard := "`" + s.Default + "`"
		if s.Example != "" {
			standard = "required, as in `" + s.Example + "`"
		}
		kind := s.Kind
		if s.Allowed != "" {
			kind += ": " + s.Allowed
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, kind, standard, markdown(s.Text))
	}
	return b.String()
}

// blockTitle is how the block is written in a file.
func blockTitle(block string) string {
	if block == "" {
		return "Outside of blocks"
	}
	var title []string
	for _, kind := range strings.Fields(block) {
		switch kind {
		case "job", "certificate":
			kind += ` "NAME"`
		case `"haproxy"`, `"nginx"`, `"exec"`:
			kind += ` ["NAME"]`
		}
		title = append(title, kind)
	}
	return strings.Join(title, " ")
}

// markdown keeps what stands in angle brackets and between bars as text.
func markdown(text string) string {
	return strings.NewReplacer("<", "&lt;", "|", `\|`, "*", `\*`).Replace(text)
}
