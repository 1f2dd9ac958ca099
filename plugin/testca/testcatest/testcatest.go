// Package testcatest makes CAs, certificates and answers for tests.
//
// A CA's folder is the test's own and goes with it. What can't be made fails the
// test at once, so each function is for the test's own goroutine. A test that
// wants to see the error asks testca itself.
package testcatest

import (
	"fmt"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

// Init makes a CA in a folder that holds nothing else.
func Init(t testing.TB, o testca.InitOptions) *testca.CA {
	t.Helper()
	ca, err := testca.Init(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Issue signs one certificate for all of names, of which the first is the common
// name. Its PEM file is o.File, else in the CA's folder, beside the CA's own files.
func Issue(t testing.TB, ca *testca.CA, o testca.IssueOptions, names ...string) *testca.Issued {
	t.Helper()
	issued, err := ca.Issue(names, o)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// IssueMany signs n certificates, all alike and with one change of the CA's index.
// Their names are pattern with the numbers from 0, such as "c%d.example.test";
// their PEM files are in the CA's folder. o.File must be empty.
func IssueMany(t testing.TB, ca *testca.CA, o testca.IssueOptions, n int, pattern string) []*testca.Issued {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(pattern, i)
	}
	all, err := ca.IssueMany(names, o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Respond signs an answer, lawful or not, and gives the DER of the OCSPResponse
// (RFC 6960, 4.2.1).
func Respond(t testing.TB, ca *testca.CA, a testca.Answer) []byte {
	t.Helper()
	der, err := ca.Respond(a)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
