package haproxy

import (
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// namesAge is how long a list of certificates is believed. A certificate
	// that is loaded twice and added at run time is noticed after that.
	namesAge = 30 * time.Second
	// namesAtOnce is how many certificates are asked for anew whenever one is
	// not found: it takes some 70 µs each. Above that, once in namesAge.
	namesAtOnce = 500
)

// nameIndex remembers which certificates a process has under which names, so
// that one pass over many certificates asks for each name once.
type nameIndex struct {
	process Info
	read    time.Time           // when the list of names was read; zero: some are known
	scanned time.Time           // when all of them were asked for
	sha1    map[string]string   // name -> fingerprint; "" where HAProxy shows none
	names   map[string][]string // fingerprint -> names
}

// namesOf returns HAProxy's own names for a certificate, found by its
// fingerprint: what HAProxy calls it need not be its path (crt-store aliases,
// links), and it may be loaded under several names. An empty list: not served.
func (s *session) namesOf(ctx context.Context, cert Certificate) ([]certDetail, error) {
	want := fingerprint(cert.FingerprintSHA1)
	if err := s.refreshNames(ctx); err != nil {
		return nil, err
	}
	found, err := s.lookUp(ctx, want)
	if err != nil || len(found) > 0 {
		return found, err
	}
	// A certificate that was replaced at run time keeps its name. Look at the
	// likeliest one, then ask for all again.
	detail, ok, err := s.detail(ctx, cert.Path)
	if err != nil {
		return nil, err
	}
	if ok && detail.sha1 == want {
		return []certDetail{detail}, nil
	}
	x := &s.c.names
	if age := s.c.config.Now().Sub(x.scanned); len(x.sha1) > namesAtOnce && age >= 0 && age < namesAge {
		return nil, nil
	}
	*x = nameIndex{}
	if err := s.refreshNames(ctx); err != nil {
		return nil, err
	}
	return s.lookUp(ctx, want)
}

// lookUp asks whether the names that are remembered are still right.
func (s *session) lookUp(ctx context.Context, want string) ([]certDetail, error) {
	var found []certDetail
	names := s.c.names.names[want]
	details, err := s.details(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if d, ok := details[name]; ok && d.sha1 == want {
			found = append(found, d)
		}
	}
	return found, nil
}

// refreshNames asks for the details of names that are new.
func (s *session) refreshNames(ctx context.Context) error {
	now, old := s.c.config.Now(), s.c.names
	if old.sha1 == nil || !old.process.Same(s.info) {
		old = nameIndex{scanned: now}
	} else if age := now.Sub(old.read); age >= 0 && age < namesAge {
		return nil
	}
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	x := nameIndex{
		process: s.info, read: now, scanned: old.scanned,
		sha1: make(map[string]string, len(list.names)), names: make(map[string][]string, len(list.names)),
	}
	var fresh []string
	for _, name := range list.names {
		if _, ok := old.sha1[name]; !ok {
			fresh = append(fresh, name)
		}
	}
	details, err := s.details(ctx, fresh)
	if err != nil {
		return err
	}
	for _, name := range list.names {
		sha1, ok := old.sha1[name]
		if !ok {
			sha1 = details[name].sha1
		}
		x.sha1[name] = sha1
		x.names[sha1] = append(x.names[sha1], name)
	}
	s.c.names = x
	return nil
}

// remember keeps details for refreshNames, which then need not ask for these.
func (s *session) remember(details map[string]certDetail) {
	x := &s.c.names
	if x.sha1 == nil || !x.process.Same(s.info) {
		*x = nameIndex{process: s.info, scanned: s.c.config.Now(), sha1: map[string]string{}, names: map[string][]string{}}
	}
	for name, d := range details {
		old, known := x.sha1[name]
		if known && old == d.sha1 {
			continue
		}
		if known { // replaced since
			x.names[old] = slices.DeleteFunc(x.names[old], func(n string) bool { return n == name })
		}
		x.sha1[name] = d.sha1
		x.names[d.sha1] = append(x.names[d.sha1], name)
	}
}

func (s *session) list(ctx context.Context) (certList, error) {
	const command = "show ssl cert"
	answer, err := s.ask(ctx, command)
	if err != nil {
		return certList{}, err
	}
	list, err := parseCertList(answer)
	if err != nil {
		return certList{}, s.c.answerError(command, answer)
	}
	return list, nil
}

// detail asks for one name; it is not ok where details has none for it.
func (s *session) detail(ctx context.Context, name string) (certDetail, bool, error) {
	details, err := s.details(ctx, []string{name})
	d, ok := details[name]
	return d, ok, err
}

// details asks for several names. Those that cannot stand in a command, and what
// is no single certificate (a bundle's common name), are no error but left out.
func (s *session) details(ctx context.Context, names []string) (map[string]certDetail, error) {
	var asked, commands []string
	for _, name := range names {
		word, ok := commandWord(name)
		if !ok {
			s.c.config.Logger.Debug("certificate name cannot stand in a command", "socket", s.c.config.Socket, "name", shorten(name, 200))
			continue
		}
		asked, commands = append(asked, name), append(commands, "show ssl cert "+word)
	}
	const command = "show ssl cert"
	answers, err := s.askAll(ctx, commands, command)
	if err != nil {
		return nil, err
	}
	details := make(map[string]certDetail, len(asked))
	for i, name := range asked {
		d, err := parseCertDetail(answers[i])
		if err == nil && d.name == name {
			details[name] = d
		} else if err != nil {
			if e := s.c.answerError(command, answers[i]); e.Kind == KindPermission {
				return nil, e
			}
		}
	}
	return details, nil
}

// commandWord writes a name as one word of a command: HAProxy splits at
// spaces and semicolons and takes a backslash as an escape (management guide,
// section 9.3). Names that could still change the command's meaning are
// refused.
func commandWord(name string) (string, bool) {
	if name == "" || len(name) > 4096 || strings.Contains(name, "<<") {
		return "", false
	}
	var b strings.Builder
	for _, r := range []byte(name) {
		if r < ' ' || r == 0x7f {
			return "", false
		}
		if r == ' ' || r == ';' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(r)
	}
	return b.String(), true
}

// fingerprint brings the usual spellings of a fingerprint into one.
func fingerprint(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, ":", ""))
}
