// Package haproxy speaks with one HAProxy: it has OCSP responses stapled by the
// running process, says what that process holds, and reloads it.
//
// # What it promises
//
//   - Success is what HAProxy itself says when asked again: after each push the
//     response is read back and compared with what was sent, and the worker is
//     compared with the one that was there before.
//   - One command at a time. HAProxy 2.6 can crash when two clients set
//     responses at once, so every operation holds a lock file that all
//     processes of one machine share (Config.LockDir).
//   - Every exchange ends: in Config.Timeout, with an answer of bounded size,
//     and with a command below the size at which HAProxy 2.6 hangs.
//   - Nothing that HAProxy would turn against us is sent: a response with less
//     than ten minutes to live takes the good one away (HAProxy stops stapling
//     five minutes before nextUpdate and replaces before it checks).
//   - A transaction that somebody else began is left alone.
//   - Every error is an *Error with a Kind and a remedy.
//
// # What it does not do
//
// It verifies no signature, and neither does HAProxy: callers hand over only
// what they verified themselves. It writes no files, and it does not decide
// when a reload may happen. HAProxy below 2.5 cannot show what it holds and is
// refused.
//
// The commands are those of HAProxy's management guide, section 9.3 (runtime
// API, "set ssl ocsp-response", "set ssl cert", "show ssl ocsp-response") and
// 9.4 (master CLI).
package haproxy
