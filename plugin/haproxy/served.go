package haproxy

import (
	"context"
	"strings"
)

// Served is a certificate as the process has it loaded.
type Served struct {
	Name string // HAProxy's own: usually the path of its file, "@store/alias" for one of a crt-store
	SHA1 string // fingerprint, lower-case hex
	// File is where it was loaded from: the name where that is a path, and what
	// HAProxy says from 3.2 on; else empty.
	File string
	// Updates: HAProxy fetches the response itself (ocsp-update).
	Updates bool
}

// servedAtOnce is how many certificates are asked for before others may speak
// to the socket in between.
const servedAtOnce = 200

// Served lists the certificates of the process. Those that were removed while
// it was asked are left out.
func (c *Client) Served(ctx context.Context) ([]Served, error) {
	names, updates, err := c.servedNames(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Served, 0, len(names))
	for len(names) > 0 {
		some, n, err := c.servedDetails(ctx, names)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
		names = names[n:]
	}
	for i := range list {
		list[i].Updates = list[i].Updates || updates[list[i].Name]
	}
	return list, nil
}

func (c *Client) servedNames(ctx context.Context) ([]string, map[string]bool, error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	list, err := s.list(ctx)
	if err != nil || !s.info.atLeast(2, 8) {
		return list.names, nil, err
	}
	answer, err := s.ask(ctx, "show ssl ocsp-updates")
	if err != nil {
		return nil, nil, err
	}
	return list.names, parseUpdates(answer), nil
}

// servedDetails asks for the first n of names. The first to ask a process asks for
// all of them at once: whoever pushes next needs each name, and would else wait for
// those that are left, and have them asked for twice.
func (c *Client) servedDetails(ctx context.Context, names []string) (list []Served, n int, err error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer s.close()
	if c.names.process.Same(s.info) {
		names = names[:min(len(names), servedAtOnce)]
	}
	details, err := s.details(ctx, names)
	if err != nil {
		return nil, 0, err
	}
	s.remember(details)
	for _, name := range names {
		d, ok := details[name]
		if !ok {
			continue
		}
		file := d.file
		if file == "" && strings.HasPrefix(name, "/") {
			file = name
		}
		list = append(list, Served{Name: name, SHA1: d.sha1, File: file, Updates: d.updates})
	}
	return list, len(names), nil
}

// parseUpdates reads "show ssl ocsp-updates": a table whose second column is
// the path of a certificate that HAProxy updates itself.
func parseUpdates(answer string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(answer) {
		columns := strings.Split(line, "|")
		if len(columns) > 4 && !strings.Contains(columns[0], "OCSP Certid") {
			names[strings.TrimSpace(columns[1])] = true
		}
	}
	return names
}
