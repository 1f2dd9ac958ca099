// Package inventory finds the certificates that a node has: single files, and
// what folders and globs hold, each with its issuer where that is at hand.
//
// What it promises:
//
//   - A file is read as HAProxy reads it: the first certificate is the leaf, what
//     HAProxy skips in a folder is skipped, keys are passed over and not kept.
//   - One file that is broken, unreadable, too large or not a file is one Problem;
//     all others are still found.
//   - Watch keeps the last certificate of a file that is there but can't be read
//     at the moment, such as one that is half written.
//   - Reading is bounded: 1 MiB a file, and a pipe or device is never opened.
//
// What it does not do: ask anybody for an issuer that is in no file, or judge
// whether a certificate has expired.
package inventory
