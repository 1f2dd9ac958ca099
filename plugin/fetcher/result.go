package fetcher

import (
	"maps"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// What came of a certificate's turn.
const (
	// Fetched: a response that supersedes what was held; stored and handed on.
	Fetched = "fetched"
	// Unchanged: a verified response that does not.
	Unchanged = "unchanged"
	// Fresh: what is held is not due; nobody was asked.
	Fresh = "fresh"
	// Failed: no verified response; Reason says why, what was held stays.
	Failed = "failed"
	// NotApplicable: there is nothing to fetch for the certificate, and no
	// retry; Reason says why.
	NotApplicable = "not-applicable"
	// Off: fetching is switched off.
	Off = "off"
)

// Reasons that come on top of those of packages responder and staple.
const (
	NoResponder        = "no-responder"
	NoIssuer           = "issuer-unknown"
	CertificateExpired = "certificate-expired"
	Request            = "request"
	Unknown            = "unknown"
	Older              = "older"
	Publish            = "publish"
	Stored             = "store"
	Timeout            = "timeout"
)

// Reasons for which an answer is worth a remark and is accepted all the same.
const (
	ClockOff    = "clock"
	ContentType = "content-type"
	OddResponse = "odd-response"
)

// ReasonMeaning explains one reason in one line.
type ReasonMeaning struct{ Reason, Meaning string }

// Reasons returns the reasons that are this package's own.
func Reasons() []ReasonMeaning {
	return []ReasonMeaning{
		{NoResponder, "the certificate names no OCSP responder and none is configured: nothing to fetch"},
		{NoIssuer, "the issuer's certificate is not known"},
		{CertificateExpired, "the certificate itself has ended: nothing to fetch"},
		{Request, "no OCSP request can be made for the certificate"},
		{Unknown, "the responder says that it does not know the certificate; usual in the first minutes after issue"},
		{Older, "the responder gave an older response than the one that is held"},
		{Stored, "data_dir could not be read or written, or holds something that is not believed"},
		{Publish, "the response was fetched and stored, but not published"},
		{ClockOff, "the responder's Date and our clock differ by more than 5 minutes; the answer is judged by our clock"},
		{ContentType, "the answer verifies, though its Content-Type is not application/ocsp-response"},
		{OddResponse, "the response verifies, with a warning: a delegate without nocheck, two entries, no nextUpdate"},
		{Timeout, "the pass ended before the certificate's turn did"},
	}
}

// Result is what came of one certificate's turn in a pass.
type Result struct {
	Target  Target
	Outcome string
	// Reason is one word, for Failed, NotApplicable and sometimes Unchanged.
	Reason string
	Err    error
	// Kept says that after a failure a held response still serves.
	Kept bool
	// Staple is what is held after the turn, nil if nothing is. Of one that the
	// store alone has it is what decides what supersedes it.
	Staple *record.Staple
	// Next is when the certificate's next turn would be; zero: never.
	Next time.Time
}

// State is what is known of one target.
type State struct {
	ID, Job, Name string
	Names         []string
	MustStaple    bool
	Announced     bool
	// Outcome is that of the last turn, "" before the first; Reason and Error
	// tell of failures in a row since Since.
	Outcome, Reason, Error string
	Failures               int
	Since                  time.Time
	// Status, ThisUpdate, NextUpdate and Until are those of the held response,
	// zero if nothing is held.
	Status                        string
	ThisUpdate, NextUpdate, Until time.Time
	// RevokedAt and RevocationReason are what a revoked response says.
	RevokedAt        time.Time
	RevocationReason string
	// Asked is when a responder was last asked, Next when it is again; zero:
	// never.
	Asked, Next time.Time
	// Busy says that its turn is now.
	Busy bool
}

// Counts are totals since the fetcher was made.
type Counts struct {
	// Requests are the HTTP requests sent to responders.
	Requests uint64
	// Repeated are the exchanges made once more, past a cache or by POST, after
	// a response that a cache may have kept too long.
	Repeated uint64
	// NotModified are answers that say that there is none but the held one.
	NotModified uint64
	// Turns are the finished turns by outcome, Failures the failed exchanges
	// and publications by reason.
	Turns, Failures map[string]uint64
	// Remarks are the answers with something odd that were not refused for it,
	// by reason.
	Remarks map[string]uint64
	// Published are the responses that were published.
	Published uint64
}

func newCounts() Counts {
	return Counts{Turns: make(map[string]uint64), Failures: make(map[string]uint64), Remarks: make(map[string]uint64)}
}

func (c Counts) clone() Counts {
	c.Turns, c.Failures, c.Remarks = maps.Clone(c.Turns), maps.Clone(c.Failures), maps.Clone(c.Remarks)
	return c
}
