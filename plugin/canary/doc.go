// Package canary measures how long a revocation takes to clients: on schedule a
// certificate that is there for it is revoked, it is noted when the response that
// says so is published, applied on each node and shown to a client there, and the
// certificate is renewed.
//
// A round, in the words of [record.CanaryRound]: the leader writes that it begins
// and runs the command revoke (revoking), waits until every node's client has seen
// it or the time is over (revoked), runs the command renew until that works
// (renewing), and waits until every node's client is shown a good response
// (renewed). Nothing is hurried: responses are fetched and published as those of
// any certificate, since that is what is to be measured.
//
// What is promised:
//
//   - Revoke is run once in a round, and no round begins sooner than it should
//     after the last one, whoever leads: what a leader is about to do it first
//     writes, fenced by its lock.
//   - Renew is run in each round, also where revoke failed or the leader that ran
//     it is gone. It may be run more than once.
//   - Nothing begins while the canary is not good, or is some other certificate's
//     file too.
//
// lead.go has the schedule, begin.go what a round needs to begin and round.go its
// phases; nodes.go gathers what nodes tell. watch.go is what a node knows,
// looking.go how it looks.
package canary
