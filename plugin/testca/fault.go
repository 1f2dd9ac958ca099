package testca

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// Fault is one way for a responder to go wrong, or to be odd.
type Fault struct {
	Name  string // what ResponderOptions.Fault takes
	Group string // one of transport, url, status, refuse, accept, entries, unstaplable, unknown, clock
	Does  string // one line: what the responder does

	// Issue is what the certificate must be issued with besides, as flags of
	// `testca issue`: its URLs are what goes wrong or leads to it. "" where any
	// certificate does. Faults of the group "url" are made by it alone.
	Issue string
}

// fault is a Fault with how it is made. Each of the functions may be nil.
type fault struct {
	Fault
	// sign changes what is signed.
	sign func(*exchange, *Answer) error
	// change changes the page that is sent.
	change func(*exchange) error
	// send sends the page in place of page.send.
	send func(*exchange)
	// listen changes what Serve listens on.
	listen func(*CA, net.Listener) (net.Listener, error)
}

// faults are all there are, in the order in which they are listed.
func faults() []fault {
	return slices.Concat(connectionFaults(), bodyFaults(), httpFaults(), cacheFaults(), urlFaults(), statusFaults(),
		encodingFaults(), signerFaults(), entryFaults(), acceptableFaults(), doubleFaults(), unstaplableFaults(),
		unknownFaults(), clockFaults())
}

// Faults lists the faults that a responder can be given, group by group.
func Faults() []Fault {
	var list []Fault
	for _, f := range faults() {
		list = append(list, f.Fault)
	}
	return list
}

// CheckFault reports what is wrong with the text for ResponderOptions.Fault:
// NAME or NAME@N, where N is at least 1. For a name that is none it names the
// nearest ones. The empty text is no fault.
func CheckFault(text string) error {
	_, _, err := parseFault(text)
	return err
}

// parseFault gives the fault, and for how many requests it holds; 0: for all.
func parseFault(text string) (f fault, n int, err error) {
	if text == "" {
		return fault{}, 0, nil
	}
	name, count, counted := strings.Cut(text, "@")
	all := faults()
	i := slices.IndexFunc(all, func(f fault) bool { return f.Name == name })
	if i < 0 {
		return fault{}, 0, fmt.Errorf("fault %.60q is none; near it are %s", name, strings.Join(nearNames(name, all), ", "))
	}
	f = all[i]
	if f.Group == "url" {
		return fault{}, 0, fmt.Errorf("fault %q is made by the certificate: testca issue %s", name, f.Issue)
	}
	if !counted {
		return f, 0, nil
	}
	if n, err = strconv.Atoi(count); err != nil || n < 1 || n > 1<<20 {
		return fault{}, 0, fmt.Errorf("fault %q: %.20q is no number of requests, from 1 to %d", name, count, 1<<20)
	}
	if f.listen != nil {
		return fault{}, 0, fmt.Errorf("fault %q spoils connections, not a number of requests", name)
	}
	return f, n, nil
}

// nearNames gives the three names that take the fewest changes to come to from
// name, or that it begins.
func nearNames(name string, all []fault) []string {
	type near struct {
		name     string
		distance int
	}
	var list []near
	for _, f := range all {
		d := levenshtein.Distance(strings.ToLower(name), f.Name, nil)
		if name != "" && (strings.HasPrefix(f.Name, name) || strings.HasPrefix(name, f.Name)) {
			d = 0
		}
		list = append(list, near{f.Name, d})
	}
	slices.SortStableFunc(list, func(a, b near) int { return a.distance - b.distance })
	var names []string
	for _, n := range list[:min(3, len(list))] {
		names = append(names, n.name)
	}
	return names
}
