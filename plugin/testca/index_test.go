package testca

import (
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestIndexLines(t *testing.T) {
	t.Parallel()
	day := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	for line, want := range map[string]indexEntry{
		"V\t270304050607Z\t\t01\tunknown\t/CN=a": {status: 'V', expires: day, reason: -1, serial: big.NewInt(1), subject: "/CN=a"},
		"R\t270304050607Z\t270304050607Z\tABCD\tunknown\t/C=DE/CN=a": {
			status: 'R', expires: day, revoked: day, reason: -1, serial: big.NewInt(0xabcd), subject: "/C=DE/CN=a"},
		"R\t20550304050607Z\t270304050607Z,keyCompromise\t0ABC\tunknown\t/CN=a": {
			status: 'R', expires: day.AddDate(28, 0, 0), revoked: day, reason: 1, serial: big.NewInt(0xabc), subject: "/CN=a"},
		"E\t990304050607Z\t\t01\tunknown\t/CN=tab\\\tinside": {
			status: 'E', expires: day.AddDate(-28, 0, 0), reason: -1, serial: big.NewInt(1), subject: "/CN=tab\tinside"},
	} {
		e, err := parseIndexLine(line)
		if err != nil || !reflect.DeepEqual(*e, want) {
			t.Errorf("%q: %+v, %v; want %+v", line, e, err, want)
			continue
		}
		if got := e.format(); got != line {
			t.Errorf("written %q, read %q", got, line)
		}
	}
}

func TestIndexRevocations(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]int{
		"270304050607Z":              -1,
		"270304050607Z,":             -1,
		"20270304050607Z,superseded": 4,
		"270304050607Z,cacompromise": 2,
		"270304050607Z,holdInstruction,holdInstructionReject": 6,
		"270304050607Z,keyTime,20270101000000Z":               1,
		"270304050607Z,CAkeyTime,20270101000000Z":             2,
		"270304050607Z,unspecified":                           0,
		"270304050607Z,removeFromCRL":                         8,
	} {
		if _, got, err := parseRevocation(field); err != nil || got != want {
			t.Errorf("%q: reason %d, %v; want %d", field, got, err, want)
		}
	}
	for _, field := range []string{"", ",superseded", "270304050607Z,boredom", "tomorrow"} {
		if _, _, err := parseRevocation(field); err == nil {
			t.Errorf("%q was accepted", field)
		}
	}
}

func TestIndexRefuses(t *testing.T) {
	t.Parallel()
	good := "V\t270304050607Z\t\t01\tunknown\t/CN=a\n"
	for text, want := range map[string]string{
		"V\t270304050607Z\t\t01\tunknown\n":                  "line 1: 5 fields",
		good + "V\t270304050607Z\t\t02\tunknown\t/CN=a\tb\n": "line 2: 7 fields",
		"X\t270304050607Z\t\t01\tunknown\t/CN=a\n":           `status "X"`,
		"V\t2703040506Z\t\t01\tunknown\t/CN=a\n":             "expiry",
		"V\t271304050607Z\t\t01\tunknown\t/CN=a\n":           "expiry",
		"V\txx0304050607Z\t\t01\tunknown\t/CN=a\n":           "expiry",
		"R\t270304050607Z\t\t01\tunknown\t/CN=a\n":           "revocation",
		"V\t270304050607Z\t\t\tunknown\t/CN=a\n":             `serial ""`,
		"V\t270304050607Z\t\t-1\tunknown\t/CN=a\n":           `serial "-1"`,
		good + good: "two lines",
		good + strings.Replace(good, "01\tu", "0001\tu", 1): "two lines",
	} {
		_, err := parseIndex(text)
		wantError(t, err, want)
	}
}

func TestOtherLinesAreKept(t *testing.T) {
	t.Parallel()
	c := newCA(t, InitOptions{})
	foreign := "# by hand\n" +
		"V\t270304050607Z\t\t0001\tfile.pem\t/C=DE/O=x/CN=a.example\r\n" +
		"R\t270304050607Z\t270304050607Z,KEYCOMPROMISE\tabcdef\tunknown\t/CN=b.example\n" +
		"\n" +
		"E\t20270304050607Z\t\t02\tunknown\t/CN=c.example"
	if err := writeFile(c.indexPath(), []byte(foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	issue(t, c, IssueOptions{}, "new.example")
	text, err := readFile(c.indexPath())
	if err != nil {
		t.Fatal(err)
	}
	rest, kept := strings.CutPrefix(string(text), foreign+"\n")
	if !kept || !strings.HasPrefix(rest, "V\t") || strings.Count(rest, "\n") != 1 {
		t.Errorf("index is now\n%s", text)
	}
	if err := c.Revoke("A.example"); err != nil {
		t.Error(err)
	}
	wantError(t, c.Revoke("c.example"), "already revoked or expired")
}

// A hold can be lifted, or become a revocation with the time of the hold;
// nothing else comes back.
func TestHolds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := newCA(t, InitOptions{Now: func() time.Time { return now }})
	serial := issue(t, c, IssueOptions{}, "a.example").Leaf.SerialNumber
	entry := func() indexEntry {
		x, err := c.readIndex()
		if err != nil {
			t.Fatal(err)
		}
		return *x.find(serial)
	}
	wantError(t, c.Release("a.example"), "not on hold")
	valid := entry()
	if err := c.RevokeWithReason("a.example", "certificateHold"); err != nil {
		t.Fatal(err)
	}
	held := entry()
	wantError(t, c.RevokeWithReason("a.example", "certificateHold"), "already revoked")
	if err := c.Release("A.example"); err != nil || !reflect.DeepEqual(entry(), valid) {
		t.Errorf("released: %+v, %v; want %+v", entry(), err, valid)
	}
	if err := c.RevokeSerial(serial, "certificateHold"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if err := c.RevokeWithReason("a.example", "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	if e := entry(); e.reason != 1 || !e.revoked.Equal(held.revoked) {
		t.Errorf("revoked for good: %+v; want the time of the hold, %v", e, held.revoked)
	}
	wantError(t, c.Release("a.example"), "not on hold")
	wantError(t, c.Release("nobody.example"), "not issued")
}

func FuzzIndex(f *testing.F) {
	f.Add("")
	f.Add("V\t270304050607Z\t\t01\tunknown\t/CN=a\n")
	f.Add("R\t270304050607Z\t20270304050607Z,superseded\tABCD\tunknown\t/CN=a\\\tb\r\n# end")
	f.Add("E\t500304050607Z\t\t00\t\t\n\n")
	f.Add("R\t270304050607Z\t490304050607Z,keyTime,20270101000000Z\t0a\tx\t/CN=a/CN=\\\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := parseIndex(text)
		if err != nil {
			return
		}
		out := x.format()
		if strings.TrimSuffix(out, "\n") != strings.TrimSuffix(text, "\n") {
			t.Fatalf("read %q, written %q", text, out)
		}
		for _, line := range x.lines {
			if line.entry == nil {
				continue
			}
			again, err := parseIndexLine(line.entry.format())
			if err != nil || !reflect.DeepEqual(again, line.entry) {
				t.Fatalf("%q: entry %+v, read again %+v, %v", line.text, line.entry, again, err)
			}
		}
	})
}
