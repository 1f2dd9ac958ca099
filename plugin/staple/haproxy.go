package staple

import (
	"crypto"
	"fmt"
	"time"
)

// Limits of HAProxy 2.6 and later, with defaults (tune.bufsize 16384).
const (
	// MaxHAProxyPush is the largest response in bytes that one runtime command carries in base64.
	MaxHAProxyPush = 11200
	// MaxHAProxyFile is the largest .ocsp file in bytes that HAProxy reads whole.
	MaxHAProxyFile = 16384
	// MinHAProxyLife is how long a response must have to go when it is installed. HAProxy stops stapling five minutes
	// before nextUpdate, and a response with less than that throws the good one out.
	MinHAProxyLife = 10 * time.Minute

	maxHAProxyCertID = 128 // bytes
)

// checkHAProxy never refuses: a response that HAProxy cannot staple may still be served by others.
func (j *judgement) checkHAProxy() *Refusal {
	e := j.chosen
	add := func(bad bool, r Reason) {
		if bad {
			j.unstaplable = append(j.unstaplable, r)
		}
	}
	isSHA1 := hashOf(e.certID.hashOID) == crypto.SHA1
	add(e.nextUpdate.IsZero(), NoNextUpdate)
	add(len(j.response.entries) > 1, MultipleResponses)
	add(!isSHA1, CertIDNotSHA1)
	add(isSHA1 && !e.certID.parameters, CertIDParameters)
	add(len(e.certID.der) > maxHAProxyCertID, CertIDTooLong)
	add(e.status == Unknown, StatusUnknown)
	add(len(j.der) > MaxHAProxyFile, TooLarge)
	add(!e.nextUpdate.IsZero() && e.nextUpdate.Sub(e.thisUpdate) < MinHAProxyLife, ShortLived)
	if !j.explain {
		return nil
	}
	if err := fitsHAProxy(j.unstaplable, e.nextUpdate, len(j.der), j.o.Now); err != nil {
		j.warnStep(err.Error())
		return nil
	}
	j.note("can be stapled until %s", e.nextUpdate.Add(-MinHAProxyLife/2).Format(time.RFC3339))
	return nil
}

// FitsHAProxy returns nil if the response can be given to HAProxy now, else a *Refusal with the first thing against
// it: any of Unstaplable, less than MinHAProxyLife to nextUpdate, or more than MaxHAProxyPush bytes. In the last case a
// file of up to MaxHAProxyFile bytes and a reload still work.
func (f *Facts) FitsHAProxy(now time.Time) error {
	if refusal := fitsHAProxy(f.Unstaplable, f.NextUpdate, len(f.DER), now); refusal != nil {
		return refusal
	}
	return nil
}

func fitsHAProxy(unstaplable []Reason, nextUpdate time.Time, size int, now time.Time) *Refusal {
	switch left := nextUpdate.Sub(now); {
	case len(unstaplable) > 0:
		return &Refusal{Reason: unstaplable[0], Detail: fmt.Sprintf("HAProxy cannot staple it: %v", unstaplable)}
	case left < MinHAProxyLife:
		return &Refusal{Reason: ShortLived, Detail: fmt.Sprintf("%s to nextUpdate, HAProxy needs %s", left.Round(time.Second), MinHAProxyLife)}
	case size > MaxHAProxyPush:
		return &Refusal{Reason: TooLarge, Detail: fmt.Sprintf("%d bytes, a runtime command takes %d", size, MaxHAProxyPush)}
	}
	return nil
}
