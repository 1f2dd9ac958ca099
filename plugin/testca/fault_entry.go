package testca

import (
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// entryFaults are answers about something else, or for another time.
func entryFaults() []fault {
	one := func(name, does string, sign func(*exchange, *Answer)) fault {
		return fault{Fault: Fault{Name: name, Group: "refuse", Does: does}, sign: func(x *exchange, a *Answer) error {
			sign(x, a)
			return nil
		}}
	}
	issuer := fault{Fault: Fault{Name: "issuer-hash", Group: "refuse", Does: "answers for another issuer's certificate of the same serial number"}}
	issuer.sign = func(x *exchange, a *Answer) error {
		other, err := x.stranger("another issuer")
		if err == nil {
			a.Issuer = other.Leaf
		}
		return err
	}
	return []fault{
		one("wrong-serial", "answers for the next serial number", func(_ *exchange, a *Answer) {
			a.Serial = new(big.Int).Add(a.Serial, big.NewInt(1))
		}),
		issuer,
		one("update-order", "ends the answer (nextUpdate) a minute before it begins (thisUpdate)", func(_ *exchange, a *Answer) {
			a.NextUpdate = a.ThisUpdate.Add(-time.Minute)
		}),
		one("expired", "gives an answer that ended a minute ago", func(x *exchange, a *Answer) {
			a.ThisUpdate, a.NextUpdate = x.now.Add(-time.Hour), x.now.Add(-time.Minute)
			a.ProducedAt = a.ThisUpdate
		}),
		one("this-update-ahead", "dates thisUpdate an hour ahead", func(_ *exchange, a *Answer) {
			a.ThisUpdate, a.NextUpdate = a.ThisUpdate.Add(time.Hour), a.NextUpdate.Add(time.Hour)
		}),
		one("produced-ahead", "dates producedAt an hour ahead", func(_ *exchange, a *Answer) {
			a.ProducedAt = a.ProducedAt.Add(time.Hour)
		}),
		one("critical-response", "adds to the response a critical extension that nobody knows", func(_ *exchange, a *Answer) {
			a.Extensions = []pkix.Extension{unknownExtension()}
		}),
		one("critical-single", "adds to the entry a critical extension that nobody knows", func(_ *exchange, a *Answer) {
			a.SingleExtensions = []pkix.Extension{unknownExtension()}
		}),
	}
}
