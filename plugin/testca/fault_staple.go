package testca

import (
	"crypto"
	"math/big"
	"net/http"
	"time"

	"golang.org/x/crypto/ocsp"
)

// doubleFaults have two entries for the certificate: the worst must win.
func doubleFaults() []fault {
	one := func(name, does string, first, second int) fault {
		return fault{Fault: Fault{Name: name, Group: "entries", Does: does}, sign: func(x *exchange, a *Answer) error {
			two := *a
			a.Status, a.RevokedAt, a.Reason = first, x.now.Add(-time.Hour), 0
			two.Status, two.RevokedAt, two.Reason = second, x.now.Add(-time.Hour), 0
			a.More = []Answer{two}
			return nil
		}}
	}
	return []fault{
		one("good-revoked", "says good and then revoked of the certificate", ocsp.Good, ocsp.Revoked),
		one("revoked-good", "says revoked and then good of the certificate", ocsp.Revoked, ocsp.Good),
		one("good-unknown", "says good and then unknown of the certificate", ocsp.Good, ocsp.Unknown),
		one("unknown-revoked", "says unknown and then revoked of the certificate", ocsp.Unknown, ocsp.Revoked),
	}
}

// unstaplableFaults are lawful answers that HAProxy does not staple.
func unstaplableFaults() []fault {
	one := func(name, does string, sign func(*Answer)) fault {
		return fault{Fault: Fault{Name: name, Group: "unstaplable", Does: does}, sign: func(_ *exchange, a *Answer) error {
			sign(a)
			return nil
		}}
	}
	return []fault{
		one("no-next-update", "gives no nextUpdate", func(a *Answer) { a.NextUpdate = time.Time{} }),
		one("multiple", "adds an entry for the next serial number", func(a *Answer) {
			other := *a
			other.Serial = new(big.Int).Add(a.Serial, big.NewInt(1))
			a.More = []Answer{other}
		}),
		one("certid-sha384", "names the certificate by SHA-384 hashes", func(a *Answer) { a.Hash = crypto.SHA384 }),
		one("certid-no-null", "leaves out the NULL parameters of the CertID's hash", func(a *Answer) { a.NoHashParameters = true }),
	}
}

// unknownFaults say that the certificate is not known.
func unknownFaults() []fault {
	return []fault{
		{Fault: Fault{Name: "unknown", Group: "unknown", Does: "says unknown, signed"}, sign: func(_ *exchange, a *Answer) error {
			a.Status = ocsp.Unknown
			return nil
		}},
		{Fault: Fault{Name: "unknown-get", Group: "unknown", Does: "says unknown to GET; POST gets the right answer"},
			sign: func(x *exchange, a *Answer) error {
				if x.req.Method == http.MethodGet {
					a.Status = ocsp.Unknown
				}
				return nil
			}},
	}
}

// clockFaults are those of the server's clock.
func clockFaults() []fault {
	one := func(name, does string, off time.Duration) fault {
		return fault{Fault: Fault{Name: name, Group: "clock", Does: does}, change: func(x *exchange) error {
			x.page.header.Set("Date", x.now.Add(off).UTC().Format(http.TimeFormat))
			return nil
		}}
	}
	return []fault{
		one("date-ahead", "has a Date an hour ahead; the answer's times are right", time.Hour),
		one("date-behind", "has a Date an hour behind; the answer's times are right", -time.Hour),
	}
}
