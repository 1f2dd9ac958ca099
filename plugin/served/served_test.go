package served

import (
	"slices"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// What HAProxy serves is in a file of a job, or somebody is told why it is not:
// the file has changed, no job names it, or nobody can look.
func TestCompare(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	read := func(name string, o testca.IssueOptions) inventory.Certificate {
		t.Helper()
		c, err := inventory.ReadFile(testcatest.Issue(t, ca, o, name+".example.test").Path)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	url := testca.IssueOptions{Responders: []string{"http://ocsp.example.test"}}
	same, renewed, other, nobodys := read("same", url), read("renewed", url), read("other", url), read("nobodys", testca.IssueOptions{})
	before := Fingerprint(renewed)
	renewed = read("renewed", url)
	loaded := func(c inventory.Certificate) haproxy.Served {
		return haproxy.Served{Name: c.Path, File: c.Path, SHA1: Fingerprint(c)}
	}
	list := []haproxy.Served{
		loaded(same), {Name: renewed.Path, File: renewed.Path, SHA1: before}, loaded(other), loaded(nobodys), {Name: "@web/alias", SHA1: "00"},
	}
	own := []inventory.Certificate{same, renewed}
	c := Compare(list, own)
	for discovers, want := range map[bool][]string{
		false: {ReasonUnlisted, ReasonUnlisted, ReasonOtherBytes}, true: {ReasonUnlisted, ReasonOtherBytes},
	} {
		var got []string
		for _, trouble := range c.Troubles("edge", "haproxy", discovers) {
			got = append(got, trouble.Reason)
		}
		if !slices.Equal(got, want) {
			t.Errorf("discovers %t: %q, want %q", discovers, got, want)
		}
	}
	if found := Found("edge", list, own); len(found) != 1 || found[0].ID != other.ID || found[0].Job != "edge" || !found[0].Discovered {
		t.Errorf("found %+v", found)
	}
}
