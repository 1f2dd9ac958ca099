package haproxy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseInfo reads the answer to "show info": one "Name: value" a line.
func parseInfo(answer string, now time.Time) (Info, error) {
	fields := parseFields(answer)
	pid, err := strconv.Atoi(fields["Pid"])
	if err != nil || pid <= 0 {
		return Info{}, errors.New("no Pid")
	}
	version := fields["Version"]
	if version == "" || len(version) > 100 {
		return Info{}, errors.New("no Version")
	}
	uptime, err := strconv.ParseInt(fields["Uptime_sec"], 10, 32)
	if err != nil || uptime < 0 {
		return Info{}, errors.New("no Uptime_sec")
	}
	handshakes, _ := strconv.Atoi(fields["SslRate"])
	return Info{Version: version, Pid: pid, Started: now.Add(-time.Duration(uptime) * time.Second), Handshakes: handshakes}, nil
}

// parseFields reads "Name: value" lines; the first of a name counts.
func parseFields(answer string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(answer) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		name = strings.TrimSpace(name)
		if _, seen := fields[name]; !ok || seen {
			continue
		}
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// atLeast compares the version's first two numbers: "2.6.12-1+deb12u4",
// "3.5-dev5". What does not read as a version is taken for an old one.
func (i Info) atLeast(major, minor int) bool {
	a, rest, _ := strings.Cut(i.Version, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(rest[:end])
	if errX != nil || errY != nil {
		return false
	}
	return x > major || x == major && y >= minor
}

// reloads is what a master says of them in the answer to "show proc".
type reloads struct {
	tried  int // since the master started
	failed int // in a row, up to the last one
}

// parseReloads reads the master's line of the table:
//
//	<pid> master <reloads> [failed: <n>] <uptime> <version>
func parseReloads(answer string) (reloads, error) {
	if !strings.HasPrefix(answer, "#<PID>") {
		return reloads{}, errors.New("not a table of processes")
	}
	for line := range strings.Lines(answer) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != "master" {
			continue
		}
		tried, err := strconv.Atoi(fields[2])
		if err != nil {
			return reloads{}, fmt.Errorf("the master's line: %q", shorten(line, 200))
		}
		r := reloads{tried: tried}
		if _, rest, ok := strings.Cut(line, "[failed:"); ok {
			count, _, _ := strings.Cut(rest, "]")
			if r.failed, err = strconv.Atoi(strings.TrimSpace(count)); err != nil {
				return reloads{}, fmt.Errorf("the master's line: %q", shorten(line, 200))
			}
		}
		return r, nil
	}
	return reloads{}, errors.New("a table of processes without a master")
}

// certList is the answer to "show ssl cert".
type certList struct {
	names       []string
	transaction string // the certificate that somebody is changing; "" if none
}

func parseCertList(answer string) (certList, error) {
	var l certList
	if !strings.HasPrefix(answer, "#") {
		return l, errors.New("not a list of certificates")
	}
	section := ""
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "":
		case line == "# transaction" || line == "# filename":
			section = line
		case section == "# transaction":
			l.transaction = strings.TrimPrefix(line, "*")
		case section == "# filename":
			l.names = append(l.names, line)
		}
	}
	return l, nil
}

// certDetail is the answer to "show ssl cert <name>".
type certDetail struct {
	name   string
	serial string // upper-case hex
	sha1   string // lower-case hex
	// ocspKey is the CertID (DER in hex) of the response that belongs to this
	// name. Empty: none was loaded for it, or on 2.6 an empty one.
	ocspKey string
	file    string // of the certificate; HAProxy says it from 3.2 on
	updates bool   // it fetches the response itself; HAProxy says it from 3.2 on
}

func parseCertDetail(answer string) (certDetail, error) {
	fields := parseFields(answer)
	d := certDetail{
		name:    strings.TrimPrefix(fields["Filename"], "*"),
		serial:  fields["Serial"],
		sha1:    strings.ToLower(fields["SHA1 FingerPrint"]),
		ocspKey: strings.ToLower(fields["OCSP Response Key"]),
		file:    fields["Crt filename"],
		updates: strings.Contains(fields["Option"], "ocsp-update"),
	}
	if d.name == "" || len(d.sha1) != 40 {
		return certDetail{}, errors.New("not the description of a certificate")
	}
	return d, nil
}

// parseRegistered reads the list of "show ssl ocsp-response": the CertIDs
// (DER in lower-case hex) for which the process takes responses.
func parseRegistered(answer string) ([]string, error) {
	var keys []string
	for line := range strings.Lines(answer) {
		line = strings.TrimSpace(line)
		key, ok := strings.CutPrefix(line, "Certificate ID key :")
		if ok {
			keys = append(keys, strings.ToLower(strings.TrimSpace(key)))
			continue
		}
		if line != "" && len(keys) == 0 && line != "# Certificate IDs" {
			return nil, errors.New("not a list of responses")
		}
	}
	return keys, nil
}

// parseChanging reads the answer to "set ssl cert": whether it began a
// transaction or joined one, and about which certificate.
func parseChanging(answer string) (name string, began bool, err error) {
	line := strings.TrimSpace(answer)
	for _, v := range []struct {
		words string
		began bool
	}{{"Transaction created for certificate ", true}, {"Transaction updated for certificate ", false}} {
		// Warnings of HAProxy may stand before or after it.
		_, rest, ok := strings.Cut(line, v.words)
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, "\n")
		name, ok = strings.CutSuffix(strings.TrimRight(rest, "\r"), "!")
		if ok && name != "" {
			return name, v.began, nil
		}
	}
	return "", false, fmt.Errorf("no transaction: %q", firstLine(answer))
}

// parseCommitted reads the answer to "commit ssl cert". ignored is HAProxy's
// word (3.0 and later) on a response that it did not take all the same.
func parseCommitted(answer string) (done bool, ignored string) {
	for line := range strings.Lines(answer) {
		line = strings.TrimSpace(line)
		if line == "Success!" {
			done = true
		}
		if strings.Contains(line, "Content will be ignored") {
			ignored = shorten(line, 200)
		}
	}
	return done, ignored
}
