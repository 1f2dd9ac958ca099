package plugin

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// minIDPrefix is how many digits of an id are taken for one.
const minIDPrefix = 8

// FindHistory is the id of the certificate that somebody names: by its id, as
// openssl prints it too, or the first digits of it; by the certificate's file; by
// "job/name" of the job file; by its serial number; or by a host name. Of
// certificates that are no longer here the history itself is looked through.
// Where several fit, the error lists them.
func FindHistory(cfg *hclconfig.Config, name string) (id string, err error) {
	digits := strings.ToLower(strings.ReplaceAll(name, ":", ""))
	if record.ValidID(digits) {
		return digits, nil
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		c, err := inventory.ReadFile(name)
		return c.ID, err
	}
	mapped, err := settings.New(cfg, nil)
	if err != nil {
		return "", err
	}
	if strings.Contains(name, "/") {
		found, _ := inventory.Read(mapped.Sources)
		for _, c := range found {
			if c.Job+"/"+c.Name == name {
				return c.ID, nil
			}
		}
	}
	return findKept(store.Look(cfg.DataDir), name, digits)
}

// findKept looks through what is kept.
func findKept(data *store.Store, name, digits string) (string, error) {
	ids, err := data.Histories()
	if err != nil {
		return "", err
	}
	var fit []string
	if len(digits) >= minIDPrefix {
		for _, id := range ids {
			if strings.HasPrefix(id, digits) {
				fit = append(fit, id)
			}
		}
	}
	if len(fit) == 1 {
		return fit[0], nil
	}
	var known []keptOne
	for _, id := range ids {
		if c := keptCertificate(data, id); c.fits(name, digits) || slices.Contains(fit, id) {
			known = append(known, c)
		}
	}
	switch len(known) {
	case 0:
		return "", fmt.Errorf("no certificate %.200q: it is no id, file, job/name, serial number or host name of one whose responses are kept here", name)
	case 1:
		return known[0].id, nil
	}
	slices.SortFunc(known, func(a, b keptOne) int { return b.notBefore.Compare(a.notBefore) })
	lines := []string{fmt.Sprintf("%d certificates are called %.200s; name one by its id:", len(known), name)}
	for _, c := range known[:min(len(known), 20)] {
		lines = append(lines, fmt.Sprintf("%s from %s to %s", c.id, c.notBefore.UTC().Format(time.DateOnly), c.notAfter.UTC().Format(time.DateOnly)))
	}
	return "", fmt.Errorf("%s", strings.Join(lines, "\n"))
}

// keptOne is a certificate whose responses are kept.
type keptOne struct {
	id, serial          string
	names               []string
	job                 string // job/name
	notBefore, notAfter time.Time
}

func keptCertificate(data *store.Store, id string) keptOne {
	one := keptOne{id: id}
	if b, _, err := data.KeptCertificate(id); err == nil {
		if list, err := staple.ParseCertificates(b); err == nil && len(list) > 0 && staple.ID(list[0]) == id {
			leaf := list[0]
			one.serial, one.names = serialOf(leaf), staple.Names(leaf)
			one.notBefore, one.notAfter = leaf.NotBefore, leaf.NotAfter
		}
	}
	if h, err := data.Kept(id, 1); err == nil && len(h.Responses) > 0 {
		one.job = h.Responses[0].Notes.Job + "/" + h.Responses[0].Notes.Name
	}
	return one
}

func (c keptOne) fits(name, digits string) bool {
	return c.serial != "" && strings.TrimLeft(digits, "0") == strings.TrimLeft(c.serial, "0") || c.job == name ||
		slices.ContainsFunc(c.names, func(n string) bool { return strings.EqualFold(n, name) })
}
