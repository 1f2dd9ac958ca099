package testca

import (
	"net/http"
	"strings"
	"time"
)

// bodyFaults are those of the answer's body: how it comes, and what it is.
func bodyFaults() []fault {
	send := func(name, does string, send func(*exchange)) fault {
		return fault{Fault: Fault{Name: name, Group: "transport", Does: does}, send: send}
	}
	body := func(name, does, contentType, text string) fault {
		return fault{Fault: Fault{Name: name, Group: "transport", Does: does}, change: func(x *exchange) error {
			x.page = textPage(http.StatusOK, contentType, text)
			return nil
		}}
	}
	const ocspType = "application/ocsp-response"
	return []fault{
		send("slow", "sends the right answer, a byte every 100 ms", sendSlowly),
		send("endless", "sends a body without end", sendEndlessly),
		send("truncated", "closes the connection after half of the body", sendHalf),
		{Fault: Fault{Name: "truncated-der", Group: "transport", Does: "sends half of the answer as if it were all"},
			change: func(x *exchange) error {
				x.page.body = x.page.body[:len(x.page.body)/2]
				return nil
			}},
		body("oversized", "sends 128 KiB of zeros", ocspType, strings.Repeat("\x00", 128<<10)),
		body("empty", "sends status 200 and no body", ocspType, ""),
		body("zero", `sends the body "0"`, ocspType, "0"),
		body("html", "sends status 200 and a page of HTML", "text/html; charset=utf-8",
			"<!DOCTYPE html><title>Sign in</title><p>Please sign in to use this network.\n"),
		{Fault: Fault{Name: "wrong-type", Group: "transport", Does: "sends the right answer as text/html"},
			change: func(x *exchange) error {
				x.page.header.Set("Content-Type", "text/html")
				return nil
			}},
	}
}

func sendSlowly(x *exchange) {
	patient(x)
	x.page.sendHead(x.w)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range x.page.body {
		if _, err := x.w.Write(x.page.body[i : i+1]); err != nil {
			return
		}
		if err := http.NewResponseController(x.w).Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-x.req.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
}

func sendEndlessly(x *exchange) {
	patient(x)
	x.w.Header().Set("Content-Type", "application/ocsp-response")
	// What begins as an answer of 16 MiB might be read to see what follows.
	chunk := append([]byte{0x30, 0x83, 0xff, 0xff, 0xff, 0x0a, 1, 0}, make([]byte, 4096)...)
	for x.req.Context().Err() == nil {
		if _, err := x.w.Write(chunk); err != nil {
			return
		}
	}
	panic(http.ErrAbortHandler)
}

func sendHalf(x *exchange) {
	x.page.sendHead(x.w)
	x.w.Write(x.page.body[:len(x.page.body)/2])
	// Without it the server would drop what was not sent yet.
	_ = http.NewResponseController(x.w).Flush()
	panic(http.ErrAbortHandler)
}
