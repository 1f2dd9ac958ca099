package inventory

import (
	"context"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy"
	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// respond puts a good response for a certificate into a file.
func (y *yard) respond(c Certificate, file string) {
	y.t.Helper()
	der := testcatest.Respond(y.t, y.ca, testca.Answer{Serial: c.Leaf.SerialNumber, NextUpdate: time.Now().Add(time.Hour)})
	if err := os.WriteFile(file, der, 0o600); err != nil {
		y.t.Fatal(err)
	}
}

// compare starts HAProxy and reads its configuration: what is found has to be
// what HAProxy loaded, and a response in the place that was found has to be one
// that it loads with the certificate.
func (y *yard) compare(o haproxytest.Options, s Source) []Certificate {
	y.t.Helper()
	p := haproxytest.Start(y.t, o)
	s.Job = "edge"
	s.HAProxyConfigs = append(s.HAProxyConfigs, p.ConfigFile())
	certs, problems := Read([]Source{s})
	wantProblems(y.t, problems)

	answer, err := p.Command("show ssl cert")
	if err != nil {
		y.t.Fatal(err)
	}
	var loaded, found []string
	for line := range strings.Lines(answer) {
		// An alias shows without its path.
		if line = strings.TrimSpace(line); line != "" && line[0] == '/' {
			loaded = append(loaded, line)
		}
	}
	for _, c := range certs {
		found = append(found, c.Path)
		if c.IssuerKnown() {
			y.respond(c, c.OCSPFile)
		}
	}
	if !strings.Contains(answer, "@") {
		slices.Sort(loaded)
		slices.Sort(found)
		if got, want := strings.Join(found, "\n"), strings.Join(slices.Compact(loaded), "\n"); got != want {
			y.t.Errorf("found\n%s\nHAProxy loaded\n%s", got, want)
		}
	}
	p.Restart()
	client := haproxy.New(haproxy.Config{Socket: p.Socket(), LockDir: y.t.TempDir()})
	for _, c := range certs {
		id, err := staple.CertID(c.Leaf, y.ca.Certificate())
		if err != nil {
			y.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		held, err := client.Held(ctx, id)
		cancel()
		if err != nil {
			y.t.Fatal(err)
		}
		if held.Present != c.IssuerKnown() {
			y.t.Errorf("%s (%s): HAProxy loaded its response: %v, its issuer was found: %v\n%s", c.Path, hex.EncodeToString(id), held.Present, c.IssuerKnown(), p.Log())
		}
	}
	return certs
}

func TestConfigurationNamesWhatHAProxyLoads(t *testing.T) {
	y := newYard(t)
	first := y.issue("bind/first.pem", testca.IssueOptions{})
	for _, file := range []string{
		"bind/second one.pem", "folder/a.pem", "folder/b.pem.rsa", "folder/b.pem.ecdsa", "base/www.pem", "base/bundle.pem.ecdsa",
		"base/listed.pem", "listed/c.pem", "listed/d.pem", "listed/e.pem",
	} {
		y.issue(file, testca.IssueOptions{})
	}
	y.write("folder/.hidden.pem", "not a certificate")
	y.write("folder/other.sctl", "")
	list := y.write("list.txt", strings.Join([]string{
		"# comment", "", "  " + y.path("listed/c.pem"),
		y.path("listed/d.pem") + "\t[alpn h2 ssl-min-ver TLSv1.2] *.example.com !no.example.com",
		y.path("listed/e.pem") + " www.example.com",
		"listed.pem",
	}, "\n")+"\n")
	t.Setenv("FOLDER_OF_CERTIFICATES", y.path("folder"))
	certs := y.compare(haproxytest.Options{
		Certs:       []string{first, y.path("bind/second one.pem")},
		ExtraGlobal: "\tcrt-base " + y.path("base") + " # where they are",
		ExtraBind: `crt "$FOLDER_OF_CERTIFICATES" crt "${FOLDER_OF_CERTIFICATES}/a.pem" crt 'www.pem' crt bundle.pem ` +
			`alpn h2,http/1.1 crt-list ` + list,
	}, Source{})
	if got, want := names(certs), "a b.ecdsa b.rsa bundle.ecdsa c d e first listed second-one www"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
}

// A crt-list that the job names by itself, with an issuer beside a certificate.
func TestListThatTheJobNames(t *testing.T) {
	y := newYard(t)
	first := y.issue("first.pem", testca.IssueOptions{})
	for _, file := range []string{"a.pem", "d.pem"} {
		y.issue("listed/"+file, testca.IssueOptions{OmitIssuer: file == "d.pem"})
	}
	y.write("listed/d.pem.issuer", y.issuerPEM())
	list := y.write("list.txt", "# those of the edge\n"+y.path("listed/a.pem")+" [alpn h2,http/1.1 ssl-min-ver TLSv1.2] a.example.com !b.example.com\n\n"+
		y.path("listed/d.pem")+" d.example.com # no comment for HAProxy, but a name\n")
	p := haproxytest.Start(t, haproxytest.Options{Certs: []string{first}, ExtraBind: "crt-list " + list})
	certs, problems := Read([]Source{{Job: "edge", CrtLists: []string{list}}})
	wantProblems(t, problems)
	answer, err := p.Command("show ssl cert")
	if err != nil {
		t.Fatal(err)
	}
	if got := names(certs); got != "a d" || certs[1].IssuerFrom != FromFile {
		t.Errorf("names %s, issuer from %q", got, certs[1].IssuerFrom)
	}
	for _, c := range certs {
		if !strings.Contains(answer, c.Path+"\n") {
			t.Errorf("HAProxy has not loaded %s:\n%s", c.Path, answer)
		}
	}
}

func TestFilesAreWhereHAProxyLooks(t *testing.T) {
	for name, test := range map[string]struct {
		global string
		omit   bool   // the PEM lacks the issuer
		file   string // of the issuer
		from   IssuerFrom
		ocsp   string
	}{
		"beside":           {omit: true, file: "www.crt.issuer", from: FromFile, ocsp: "www.crt.ocsp"},
		"without .crt":     {global: "ssl-load-extra-del-ext", omit: true, file: "www.issuer", from: FromFile, ocsp: "www.ocsp"},
		"not there":        {global: "ssl-load-extra-del-ext", omit: true, file: "www.crt.issuer", from: FromNowhere, ocsp: "www.ocsp"},
		"among the chains": {global: "issuers-chain-path {}/chains", omit: true, file: "chains/ca.pem", from: FromChains, ocsp: "www.crt.ocsp"},
		"in the PEM":       {from: FromPEM, file: "chains/ca.pem", ocsp: "www.crt.ocsp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			path := y.issue("www.crt", testca.IssueOptions{OmitIssuer: test.omit})
			y.write(test.file, y.issuerPEM())
			// HAProxy refuses a response whose issuer it does not find.
			certs := y.compare(haproxytest.Options{
				Certs: []string{path}, ExtraGlobal: "\t" + strings.ReplaceAll(test.global, "{}", y.folder),
			}, Source{})
			if len(certs) != 1 {
				t.Fatalf("certificates: %v", certs)
			}
			if got := certs[0].OCSPFile; got != y.path(test.ocsp) {
				t.Errorf("response in %s, want %s", got, test.ocsp)
			}
			if got := certs[0].IssuerFrom; got != test.from {
				t.Errorf("issuer from %q, want %q", got, test.from)
			}
		})
	}
}

func TestStoresAndListsOfLaterHAProxy(t *testing.T) {
	y := newYard(t)
	first := y.issue("first.pem", testca.IssueOptions{})
	for _, file := range []string{"store/www.pem", "store/api.pem", "base/plain.pem", "listed.pem", "lonely.pem"} {
		y.issue(file, testca.IssueOptions{OmitIssuer: file == "lonely.pem"})
	}
	for _, file := range []string{"store/www.der", "base/plain.der", "listed.der", "store/api.ocsp"} {
		y.write(file, "")
	}
	y.write("lonely.ca", y.issuerPEM())
	y.write("lonely.der", "")
	list := y.write("list.txt", "@web/named www.example.com\n"+
		y.path("listed.pem")+" [ocsp "+y.path("listed.der")+" ocsp-update off]\n"+
		y.path("lonely.pem")+" [issuer "+y.path("lonely.ca")+" ocsp "+y.path("lonely.der")+"]\n")
	certs := y.compare(haproxytest.Options{
		Binary: consultest.Binary(t, "haproxy-3.0"),
		Certs:  []string{first},
		ExtraGlobal: "\tcrt-base " + y.path("base") + "\n" +
			"crt-store web\n\tcrt-base " + y.path("store") + "\n\tload crt www.pem alias named ocsp www.der\n\tload crt api.pem ocsp " + y.path("store/api.ocsp") +
			"\ncrt-store\n\tload crt plain.pem ocsp plain.der\n",
		ExtraBind: "crt @web/named crt @web/api.pem crt plain.pem crt-list " + list,
	}, Source{})
	if got, want := names(certs), "api first listed lonely named plain"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
}

func TestResponsesThatHAProxyWouldNotRead(t *testing.T) {
	y := newYard(t)
	y.issue("a.pem", testca.IssueOptions{})
	y.issue("b.pem", testca.IssueOptions{})
	config := y.write("haproxy.cfg", "global\n ssl-load-extra-files bundle issuer\n crt-base "+y.folder+"\ncrt-store web\n load crt b.pem\nlisten x\n bind :443 ssl crt a.pem crt @web/b.pem\n")
	certs, problems := Read([]Source{{Job: "edge", HAProxyConfigs: []string{config}}})
	if got := names(certs); got != "a b" {
		t.Errorf("names %s", got)
	}
	wantProblems(t, problems, `a.pem: ssl-load-extra-files leaves out "ocsp"`, `line 5: HAProxy looks for no response beside `+y.path("b.pem"))
}

func TestConfigurationPlacesFilesOfOtherCertificates(t *testing.T) {
	y := newYard(t)
	path := y.issue("www.crt", testca.IssueOptions{})
	config := y.write("haproxy.cfg", "global\n ssl-load-extra-del-ext\n")
	certs, problems := Read([]Source{{
		Job: "edge", Certificates: []Single{{Name: "www", Path: path}}, HAProxyConfigs: []string{config},
	}})
	wantProblems(t, problems)
	if len(certs) != 1 || certs[0].OCSPFile != y.path("www.ocsp") {
		t.Errorf("certificates %+v", certs)
	}
}

func TestBundleThatTheJobNames(t *testing.T) {
	y := newYard(t)
	y.issue("www.pem.rsa", testca.IssueOptions{Key: testca.RSA})
	y.issue("www.pem.ecdsa", testca.IssueOptions{})
	certs, problems := Read([]Source{{Job: "edge", Certificates: []Single{{Name: "www", Path: y.path("www.pem")}}}})
	wantProblems(t, problems)
	if got := names(certs); got != "www.ecdsa www.rsa" {
		t.Errorf("names %s", got)
	}
}

func TestWhatIsWrongInHAProxysFilesIsNamed(t *testing.T) {
	y := newYard(t)
	y.issue("a.pem", testca.IssueOptions{})
	y.issue("b.pem", testca.IssueOptions{})
	list := y.write("list.txt", "relative.pem\n"+y.path("b.pem")+" [ocsp\n[alpn h2]\n"+y.path("gone.pem")+"\n"+y.folder+"\n")
	config := y.write("haproxy.cfg", strings.Join([]string{
		"frontend x", `bind :443 ssl crt "` + y.path("a.pem"), " bind :443 ssl crt ${NOT_SET_AT_ALL}/a.pem", ` bind :443 ssl crt "${NOT_SET_AT_ALL}/a.pem"`,
		" bind :443 ssl crt " + y.path("a.pem") + " crt-list " + list, " bind :443 ssl crt", " bind :443 ssl crt @web/x",
		` log "${ANOTHER}" format raw`,
	}, "\n"))
	certs, problems := Read([]Source{{Job: "edge", HAProxyConfigs: []string{config}, CrtLists: []string{y.path("no-list")}}})
	if got := names(certs); got != "a" {
		t.Errorf("names %s", got)
	}
	wantProblems(t, problems,
		"haproxy.cfg: line 2: a quote is not closed", "haproxy.cfg: line 3: ${NOT_SET_AT_ALL}/a.pem is relative", "line 4: the variable NOT_SET_AT_ALL is not set",
		"line 6: crt without a value", "line 7: @web/x: no crt-store",
		"list.txt: line 1: relative.pem is relative", `list.txt: line 2: the "[" is not closed`, "list.txt: line 3: it has options and no certificate",
		"gone.pem: no such file", "line 5: "+y.folder+" is a folder", "no-list: no such file")
}

func TestWatchFollowsHAProxysFiles(t *testing.T) {
	y := newYard(t)
	y.issue("a.pem", testca.IssueOptions{})
	list := y.write("list.txt", y.path("a.pem")+"\n")
	if err := os.Mkdir(y.path("folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := y.write("haproxy.cfg", "listen x\n bind :443 ssl crt "+y.path("folder")+" crt-list "+list+"\n")
	results := watching(t, []Source{{Job: "edge", HAProxyConfigs: []string{config}}}, WatchOptions{Rescan: time.Hour})
	want := func(what, certs string) {
		t.Helper()
		until(t, what, results, func(f found) bool { return names(f.certs) == certs })
	}
	want("what is listed", "a")
	y.issue("later/b.pem", testca.IssueOptions{})
	y.write("list.txt", y.path("a.pem")+"\n"+y.path("later/b.pem")+"\n"+y.path("later/c.pem")+"\n")
	want("another line", "a b")
	y.issue("later/c.pem", testca.IssueOptions{})
	want("a file that was listed and not there", "a b c")
	y.issue("folder/d.pem", testca.IssueOptions{})
	want("a file in a folder that was empty", "a b c d")

	// A list that is away for a moment takes nothing with it.
	rename(t, list, y.path("list.old"))
	until(t, "the list to be away", results, func(f found) bool { return names(f.certs) == "a b c d" && len(f.problems) == 1 })
	rename(t, y.path("list.old"), list)
	until(t, "the list to be back", results, func(f found) bool { return names(f.certs) == "a b c d" && len(f.problems) == 0 })
	if err := os.Remove(y.path("folder/d.pem")); err != nil {
		t.Fatal(err)
	}
	want("a file to be gone", "a b c")
}
