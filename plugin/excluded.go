package plugin

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/responder"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
)

// maxHosts is how many hosts a warning names.
const maxHosts = 5

// Excluded are warnings about each allowed_responders that no certificate fits
// for which it counts, so that nothing would be fetched: place, hosts and remedy.
// Certificates and files that can't be read are no matter of this.
func Excluded(cfg *hclconfig.Config) []string {
	p, err := settings.New(cfg, nil)
	if err != nil {
		return nil
	}
	found, _ := inventory.Read(p.Sources)
	return excluded(p, found)
}

// allowList is one allowed_responders with what it does to certificates.
type allowList struct {
	patterns []string
	all      int
	allowed  bool
	hosts    map[string]bool
}

func excluded(p *settings.Settings, own []inventory.Certificate) []string {
	lists := map[hclconfig.Source]*allowList{}
	for _, c := range own {
		f := p.Fetch(c.Job, c.Name)
		urls := f.Settings.Responders
		if len(urls) == 0 {
			urls = c.Leaf.OCSPServer
		}
		if f.Settings.Off || len(f.Settings.AllowedResponders) == 0 || len(urls) == 0 {
			continue
		}
		list, ok := lists[f.AllowedAt]
		if !ok {
			list = &allowList{patterns: f.Settings.AllowedResponders, hosts: map[string]bool{}}
			lists[f.AllowedAt] = list
		}
		list.all++
		for _, u := range urls {
			list.add(u)
		}
	}
	var warnings []string
	for at, list := range lists {
		if !list.allowed {
			warnings = append(warnings, list.warning(at))
		}
	}
	slices.Sort(warnings)
	return warnings
}

func (l *allowList) add(text string) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return // bad-url, whatever is allowed
	}
	l.hosts[u.Hostname()] = true
	l.allowed = l.allowed || slices.ContainsFunc(l.patterns, func(p string) bool { return hclconfig.MatchHost(p, u.Hostname()) })
}

func (l *allowList) warning(at hclconfig.Source) string {
	hosts := slices.Sorted(maps.Keys(l.hosts))
	named := strings.Join(hosts[:min(len(hosts), maxHosts)], ", ")
	if more := len(hosts) - maxHosts; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	remedy := "remove it"
	if len(hosts) > 0 {
		remedy = fmt.Sprintf("add %q there, or remove it", hosts[0])
	}
	return fmt.Sprintf("%s: allowed_responders excludes every certificate: [%s] fits none of the responders of %d certificates (%s), so that nothing is fetched: %s",
		at, strings.Join(l.patterns, ", "), l.all, named, remedy)
}

// warnOfExcluded logs what [Excluded] says, once. The caller holds the lock.
func (h *holding) warnOfExcluded(own []inventory.Certificate) {
	if !h.settings.Config.HasRole("fetch") {
		return
	}
	warnings := excluded(h.settings, own)
	for _, w := range warnings {
		if !slices.Contains(h.excluded, w) {
			h.logger.Warn("nothing can be fetched", "reason", responder.HostForbidden, "error", w)
		}
	}
	h.excluded = warnings
}
