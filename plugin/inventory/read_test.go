package inventory

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

func TestFolderIsReadAsHAProxyReadsIt(t *testing.T) {
	y := newYard(t)
	y.issue("www.pem", testca.IssueOptions{MustStaple: true})
	y.issue("no-ending", testca.IssueOptions{})
	y.issue("old/below.pem", testca.IssueOptions{})
	y.issue("elsewhere/real.pem", testca.IssueOptions{})
	y.link(y.path("elsewhere/real.pem"), "linked.pem")
	y.link("nowhere", "dangling.pem")
	y.pipe("pipe.pem")
	for _, skipped := range []string{".hidden.pem", "www.pem.key", "www.pem.issuer", "www.pem.ocsp", "www.pem.sctl"} {
		y.write(skipped, "not a certificate")
	}
	certs, problems := Read(set(y.folder))
	if got := names(certs); got != "linked no-ending www" {
		t.Errorf("names: %s", got)
	}
	wantProblems(t, problems)
	for _, c := range certs {
		if c.Name != "www" {
			continue
		}
		if c.ID != staple.ID(c.Leaf) || !c.MustStaple || c.OCSPFile != y.path("www.pem.ocsp") || c.Job != "edge" ||
			len(c.Names) != 1 || c.Names[0] != "www.example.com" || c.IssuerFrom != FromPEM || !c.IssuerKnown() {
			t.Errorf("%+v", c)
		}
	}
	if certs[0].Issuer != certs[1].Issuer {
		t.Error("the issuer is kept twice")
	}
}

func TestGlobsAndExcludes(t *testing.T) {
	y := newYard(t)
	for _, f := range []string{"a/one.pem", "a/b/two.pem", "a/b/three.crt", "c/four.pem", "a/b/old-five.pem"} {
		y.issue(f, testca.IssueOptions{})
	}
	y.write("a/one.pem.ocsp", "x")
	for _, c := range []struct {
		set  Set
		want string
	}{
		{Set{Paths: []string{y.path("a/*.pem")}}, "one"},
		{Set{Paths: []string{y.path("a/*")}}, "one"},
		{Set{Paths: []string{y.path("a/**/*.pem")}}, "old-five one two"},
		{Set{Paths: []string{y.path("**/*.{pem,crt}")}, Exclude: []string{"old-*", y.path("c/**")}}, "one three two"},
		{Set{Paths: []string{y.path("a/b"), y.path("a/b/*.pem")}}, "old-five three two"},
		{Set{Paths: []string{y.path("c/four.pem")}}, "four"},
		{Set{Paths: []string{y.path("c/*.none")}}, ""},
	} {
		certs, problems := Read([]Source{{Job: "edge", Sets: []Set{c.set}}})
		if got := names(certs); got != c.want {
			t.Errorf("%v: %q, want %q", c.set, got, c.want)
		}
		wantProblems(t, problems)
	}
}

func TestOneBrokenFileHidesNoOther(t *testing.T) {
	y := newYard(t)
	y.issue("good.pem", testca.IssueOptions{})
	y.write("garbage.pem", "not a certificate")
	y.write("empty.pem", "")
	y.write("large.pem", strings.Repeat("x", staple.MaxPEM+1))
	half, err := os.ReadFile(y.path("good.pem"))
	if err != nil {
		t.Fatal(err)
	}
	y.write("half.pem", string(half[:200]))
	y.issue("other/good.crt", testca.IssueOptions{})
	y.issue("@.pem", testca.IssueOptions{})
	y.pipe("named.pem")
	certs, problems := Read([]Source{{
		Job: "edge",
		Certificates: []Single{
			{Name: "pipe", Path: y.path("named.pem")},
			{Name: "folder", Path: y.path("other")},
			{Name: "missing", Path: y.path("missing.pem")},
		},
		Sets: []Set{{Paths: []string{y.folder, y.path("other/*"), y.path("nowhere/*.pem"), y.path("gone.pem")}, Exclude: []string{"["}}},
	}})
	if got := names(certs); got != "- good" {
		t.Errorf("names: %q", got)
	}
	wantProblems(t, problems, "garbage.pem: PEM", "empty.pem: PEM", "large.pem: more than 1048576 bytes", "half.pem: PEM",
		`"pipe": `+y.path("named.pem")+": not a regular file", `"folder": `+y.path("other")+": not a regular file",
		"missing.pem: no such file", "nowhere: no such file", "gone.pem: no such file", "exclude is no glob",
		y.path("other/good.crt")+": "+y.path("good.pem")+" has the same name")
}

func TestWhatWouldFightOverAFileIsRefused(t *testing.T) {
	y := newYard(t)
	one, two := y.issue("one.pem", testca.IssueOptions{}), y.issue("two.pem", testca.IssueOptions{})
	certs, problems := Read([]Source{
		{Job: "edge", Certificates: []Single{
			{Name: "one", Path: one},
			{Name: "again", Path: one},
			{Name: "two", Path: two, OCSPFile: one + ".ocsp"},
			{Name: "key", Path: two, OCSPFile: two},
		}, Sets: []Set{{Paths: []string{one}}}},
		{Job: "inner", Certificates: []Single{{Name: "one", Path: one}}},
	})
	if len(certs) != 2 || certs[0].Job != "edge" || certs[1].Job != "inner" || certs[0].ID != certs[1].ID {
		t.Errorf("%+v", certs)
	}
	wantProblems(t, problems, "under another name", "goes to "+one+".ocsp too", "own file")
}

func TestNames(t *testing.T) {
	for file, want := range map[string]string{
		"/a/www.pem": "www", "/a/www.example.com.pem": "www.example.com", "/a/www.example": "www", "/a/*.example.com.pem": "-.example.com",
		"/a/ü b.pem": "--b", "/a/_x-1.crt": "_x-1", "/a/....pem": "...", "/a/...pem": "", "/a/" + strings.Repeat("n", 201) + ".pem": "",
	} {
		if got, err := nameOf(file); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v, want %q", file, got, err, want)
		}
	}
}

func TestIssuer(t *testing.T) {
	y := newYard(t)
	stranger := newYard(t)
	y.write("ca.pem", stranger.issuerPEM()+y.issuerPEM())
	y.write("stranger.pem", stranger.issuerPEM())
	y.write("garbage", "nothing")
	bare := testca.IssueOptions{OmitIssuer: true}
	for _, c := range []struct {
		name, issuer, beside string
		options              testca.IssueOptions
		from                 IssuerFrom
		pem, file            bool
		problem              string
	}{
		{name: "pem", from: FromPEM, pem: true},
		{name: "config", issuer: "ca.pem", options: bare, from: FromConfig},
		{name: "both", issuer: "ca.pem", from: FromConfig, pem: true},
		{name: "file", options: bare, beside: y.issuerPEM(), from: FromFile, file: true},
		{name: "second", options: bare, beside: stranger.issuerPEM() + y.issuerPEM(), from: FromFile},
		{name: "der", options: bare, beside: string(y.ca.Certificate().Raw), from: FromFile},
		{name: "none", options: bare},
		{name: "wrong-file", options: bare, beside: stranger.issuerPEM(), problem: "holds no issuer"},
		{name: "wrong-config", issuer: "stranger.pem", from: FromPEM, pem: true, problem: "holds no issuer"},
		{name: "broken-config", issuer: "garbage", options: bare, beside: y.issuerPEM(), from: FromFile, file: true, problem: "issuer file"},
		{name: "missing-config", issuer: "nowhere.pem", from: FromPEM, pem: true, problem: "no such file"},
	} {
		single := Single{Name: c.name, Path: y.issue(c.name+"/x.pem", c.options)}
		if c.beside != "" {
			y.write(c.name+"/x.pem.issuer", c.beside)
		}
		if c.issuer != "" {
			single.Issuer = y.path(c.issuer)
		}
		certs, problems := Read([]Source{{Job: "edge", Certificates: []Single{single}}})
		if len(certs) != 1 {
			t.Fatalf("%s: %v", c.name, problems)
		}
		got := certs[0]
		if got.IssuerFrom != c.from || got.IssuerInPEM != c.pem || got.IssuerInFile != c.file {
			t.Errorf("%s: from %q, pem %v, file %v", c.name, got.IssuerFrom, got.IssuerInPEM, got.IssuerInFile)
		}
		if (got.Issuer == nil) != (c.from == FromNowhere) || got.Issuer != nil && !got.Issuer.Equal(y.ca.Certificate()) {
			t.Errorf("%s: issuer %v", c.name, got.Issuer)
		}
		if c.problem == "" {
			wantProblems(t, problems)
		} else {
			wantProblems(t, problems, c.problem)
		}
	}
}

func TestManyFilesAreReadOnce(t *testing.T) {
	y := newYard(t)
	path := y.issue("www.pem", testca.IssueOptions{})
	old := y.path("old.pem")
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(old)
	if err != nil {
		t.Fatal(err)
	}
	long := fi.ModTime().Add(-time.Minute)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	r := reader{files: newFiles(fi.ModTime)}
	first, _ := r.read(set(y.folder))
	second, _ := r.read(set(y.folder))
	if len(first) != 1 || len(second) != 1 || first[0].Leaf != second[0].Leaf {
		t.Error("an unchanged file was parsed again")
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	if certs, _ := r.read(set(y.folder)); len(certs) != 0 {
		t.Error("a file that is gone is still found")
	}
	r.read(set(y.folder))
	if len(r.files.pems) != 0 {
		t.Error("what is gone is not forgotten")
	}
}
