// Package fetcher is the elected role: it keeps a verified OCSP response for
// each of a set of certificates. It decides whom to ask when, asks, verifies on
// the spot, stores, and hands on for publishing.
//
// What is promised:
//
//   - Nothing is stored or published that was not verified here with the
//     certificate and its issuer. What was stored is verified again when it is
//     read.
//   - An older response never replaces a newer one, "unknown" replaces nothing,
//     and a failure takes nothing away: what was held stays.
//   - Each certificate is asked for once per refresh. While its responder
//     answers, it is asked again before the held response ends.
//   - A slow or dead responder delays no certificate of another responder:
//     hosts have separate queues, workers and rates. How many exchanges go on
//     at a time with one grows and shrinks with what it bears. While it is in
//     trouble, or asks for a pause, all of its certificates wait, those that end
//     soon not as long.
//   - A failure has a one-word reason, is counted under it, logged when it
//     first occurs and when it changes, and reported as trouble.
//
// HTTP caching (RFC 9111) is used to be polite, and never to ask later: the held
// response is named in the request where the responder gave it a name, max-age
// pulls a refresh earlier, and what a cache kept too long is asked for once more
// past it, then by POST.
//
// Limits: work in progress is bounded for each responder host, and over all of
// them by the files that the process may open. Where hosts have to share, those
// that have fewer exchanges under way come first, and a quarter of the places is
// for those that answer: hosts that hang take the places of no others.
//
// The parts: schedule.go says when, as a pure function of the held response, the
// history, the time and the configuration; lanes.go is the queues by host,
// hosts.go what was learned of each; exchange.go asks and verifies; asking.go
// chooses whom and how; flow.go takes one certificate through, outcome.go ends
// its turn; run.go and pass.go are the two ways to run; outbox.go and publish.go
// carry the outcome away.
package fetcher
