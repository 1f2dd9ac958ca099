package hclconfig

import "time"

// Fetch is how responses are fetched. In a Config it is always complete: what
// a block does not set is that of the block around it.
type Fetch struct {
	MinDelay              time.Duration
	MaxDelay              time.Duration // >= MinDelay
	Timeout               time.Duration // of one whole exchange
	Proxy                 string        // URL or host:port
	Responder             []string      // absolute http(s) URLs; empty: the certificate's own; [""]: fetching is off
	Host                  string        // Host header; empty: that of the URL
	TrustedResponders     string        // absolute path
	TrustedIssuers        string        // absolute path
	AllowedResponders     []string      // host patterns; see [MatchHost]
	AllowPrivateAddresses bool
	AllowSHA1Signatures   bool
	Concurrency           int // exchanges at a time per responder host
	Rate                  int // exchanges per second and responder host
	History               int // signed responses kept per certificate
}

// Off tells whether fetching is switched off by responder = [""].
func (f *Fetch) Off() bool { return len(f.Responder) == 1 && f.Responder[0] == "" }
