// Package event tells a command and a webhook when something happens to a
// certificate, or to who leads.
//
// What is promised:
//
//   - Nothing waits for it: who observes hands over what it sees and goes on.
//     What can't be queued is counted, logged, and told when it is observed
//     again.
//   - The same is told once: what was told last of each certificate is kept in
//     a [Memory], so that neither a restart nor another leader tells it again.
//     It is kept after it was told; a crash in between tells it twice.
//   - A failing command or webhook is tried again, each on its own, with growing
//     pauses; what fails for good is counted and logged as an error.
//   - What goes out is bounded, and free of control characters where it is an
//     environment variable. No part of a webhook's URL but scheme and host is
//     logged, and its redirects are not followed.
//
// News of canaries are told as often as they come: who finds them out keeps that.
//
// The parts: state.go says what an observation means, teller.go what of it is
// news, sink.go carries an event to a command (command.go) or webhook
// (webhook.go).
package event
