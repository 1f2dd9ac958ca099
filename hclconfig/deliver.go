package hclconfig

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// DeliverHAProxy is a HAProxy that a job's responses are pushed to.
type DeliverHAProxy struct {
	Name          string // empty where it is the only one of its type
	Socket        string // absolute path of a unix socket, or host:port
	Method        string // auto, push, reload or file
	Reload        []string
	Discover      bool
	OnRevoked     string // staple, keep or remove
	MinInterval   time.Duration
	MaxConcurrent int
	Placeholder   bool
	Source        Source
}

// DeliverNginx is an nginx that a job's responses are written for.
type DeliverNginx struct {
	Name   string
	Reload []string
	Test   []string
	File   string // absolute; {name} and {id} stand for the certificate's; empty: <path>.ocsp
	Source Source
}

// DeliverExec is a command that is run for each new response.
type DeliverExec struct {
	Name    string
	Command []string
	Timeout time.Duration
	Source  Source
}

// deliver reads the deliver blocks of a job.
func (p *parser) deliver(b *block, j *Job) {
	targets := b.all("deliver", "TYPE", "[NAME]")
	b.distinct(targets)
	count := map[string]int{}
	for _, t := range targets {
		count[t.label(0)]++
	}
	sockets := map[string]*block{}
	for _, t := range targets {
		typ, name := t.label(0), t.label(1)
		if count[typ] > 1 && name == "" {
			p.fail(t.at, "Missing name of deliver", fmt.Sprintf("%s has several of type %q: give each a name, as in deliver %q \"blue\" { … }.", b.title, typ, typ))
		}
		switch typ {
		case "haproxy":
			before := len(p.diags)
			h := p.deliverHAProxy(t, name)
			j.HAProxy = append(j.HAProxy, h)
			if len(p.diags) > before {
				continue
			}
			if first, ok := sockets[h.Socket]; ok {
				p.duplicate("socket "+h.Socket, t.place("socket"), first.place("socket"))
			}
			sockets[h.Socket] = t
			if first := j.HAProxy[0]; h.OnRevoked != first.OnRevoked {
				p.fail(t.place("on_revoked"), "on_revoked differs within a job",
					fmt.Sprintf("A job's certificates have one file for all of its targets, and %s says on_revoked = %q. "+
						"Say the same in both, or make two jobs.", first.Source, first.OnRevoked))
			}
		case "nginx":
			j.Nginx = append(j.Nginx, p.deliverNginx(t, name))
		case "exec":
			j.Exec = append(j.Exec, p.deliverExec(t, name))
		case "":
		default:
			p.invalid("type of deliver", t.at, oneOf("haproxy", "nginx", "exec")(typ))
		}
	}
}

func (p *parser) deliverHAProxy(b *block, name string) DeliverHAProxy {
	h := DefaultHAProxy()
	h.Name, h.Source = name, b.source()
	before := len(p.diags)
	b.text("socket", &h.Socket, haproxySocket)
	b.text("method", &h.Method, oneOf("auto", "push", "reload", "file"))
	b.command("reload", &h.Reload, false)
	b.boolean("discover", &h.Discover)
	b.text("on_revoked", &h.OnRevoked, oneOf("staple", "keep", "remove"))
	b.duration("min_interval", &h.MinInterval, 0, day)
	b.number("max_concurrent", &h.MaxConcurrent, 1, 10_000)
	b.boolean("placeholder", &h.Placeholder)
	b.done()
	if len(p.diags) == before && len(h.Reload) > 0 && (h.Method == "push" || h.Method == "file") {
		p.fail(b.place("reload"), "A reload that never happens",
			fmt.Sprintf("method = %q never reloads, so this command would not be run. Remove it, or use method = \"auto\".", h.Method))
	}
	if len(p.diags) == before && h.OnRevoked == "remove" && (h.Method == "push" || h.Method == "file") {
		p.fail(b.place("on_revoked"), "on_revoked = \"remove\" without a reload",
			fmt.Sprintf("HAProxy takes no staple back while it runs, and method = %q never reloads it. Use method = \"auto\" with a reload "+
				"command or the master's socket, or on_revoked = \"keep\" or \"staple\".", h.Method))
	}
	return h
}

func (p *parser) deliverNginx(b *block, name string) DeliverNginx {
	n := DeliverNginx{Name: name, Test: []string{"nginx", "-t"}, Source: b.source()}
	b.require("reload", `["nginx", "-s", "reload"]`)
	b.command("reload", &n.Reload, true)
	b.command("test", &n.Test, false)
	b.text("file", &n.File, orEmpty(fileTemplate))
	b.done()
	return n
}

func (p *parser) deliverExec(b *block, name string) DeliverExec {
	e := DeliverExec{Name: name, Timeout: 30 * time.Second, Source: b.source()}
	b.require("command", `["/usr/local/bin/new-staple"]`)
	b.command("command", &e.Command, true)
	b.duration("timeout", &e.Timeout, instant, time.Hour)
	b.done()
	return e
}

// fileTemplate accepts a path in which {name} or {id} tells certificates apart.
func fileTemplate(v string) string {
	if problem := absoluteFile(v); problem != "" {
		return problem
	}
	found := regexp.MustCompile(`\{[^{}]*\}`).FindAllString(v, -1)
	for _, f := range found {
		if f != "{name}" && f != "{id}" {
			return fmt.Sprintf("%s stands for nothing. There are {name} and {id}.", f)
		}
	}
	if len(found) == 0 {
		return "All certificates would share this file. Put {name} or {id} into it."
	}
	if strings.ContainsAny(regexp.MustCompile(`\{(name|id)\}`).ReplaceAllString(v, ""), "{}") {
		return "It holds a single brace. There are {name} and {id}."
	}
	return ""
}
