package hclconfig

import "time"

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
