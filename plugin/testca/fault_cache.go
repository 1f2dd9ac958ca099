package testca

import (
	"net/http"
	"time"
)

// cacheFaults are those that caches and their headers bring.
func cacheFaults() []fault {
	one := func(name, does string) fault {
		return fault{Fault: Fault{Name: name, Group: "transport", Does: does}}
	}
	outdated := one("stale-get", "gives to GET an answer that has ended, as from a cache; POST gets a new one")
	outdated.sign = func(x *exchange, a *Answer) error {
		if x.req.Method == http.MethodGet {
			a.ThisUpdate, a.NextUpdate = x.now.Add(-48*time.Hour), x.now.Add(-24*time.Hour)
			a.ProducedAt = a.ThisUpdate
		}
		return nil
	}
	outdated.change = fromCache
	older := one("older-get", "gives to GET an answer of 12 hours ago that has not ended; POST gets a new one")
	older.sign = func(x *exchange, a *Answer) error {
		if x.req.Method == http.MethodGet {
			a.ThisUpdate = x.now.Add(-12 * time.Hour)
			a.ProducedAt = a.ThisUpdate
		}
		return nil
	}
	older.change = fromCache
	forever := one("max-age", "says that the right answer may be cached for 10,000 years")
	forever.change = func(x *exchange) error {
		x.page.header.Set("Cache-Control", "max-age=315360000000, public, immutable")
		x.page.header.Set("Expires", "Fri, 31 Dec 9999 23:59:59 GMT")
		return nil
	}
	unmodified := one("304", "says 304 to everybody, also to who holds nothing")
	unmodified.change = func(x *exchange) error {
		x.page.status, x.page.body = http.StatusNotModified, nil
		return nil
	}
	return []fault{outdated, older, forever, unmodified}
}

func fromCache(x *exchange) error {
	if x.req.Method == http.MethodGet {
		x.page.header.Set("Age", "43200")
		x.page.header.Set("X-Cache", "HIT")
		x.page.header.Set("Cache-Control", "max-age=86400, public")
	}
	return nil
}
