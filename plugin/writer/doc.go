// Package writer is the node's part: it takes OCSP responses from wherever
// they come, verifies them again against this node's own certificates, writes
// them to files and hands them to targets (HAProxy, nginx, a command).
//
// What it promises:
//
//   - Nothing reaches a file or a target that staple.Verify did not accept here
//     and now, with the leaf and issuer of this node. What Consul, data_dir or an
//     existing file hold is a candidate, never more.
//   - An older response never replaces a newer one (record.Supersedes), neither
//     in the file nor at a target. A file that another process wrote and that is
//     newer than ours is kept, and learned.
//   - A file is whole or absent, and its owner, group and mode stay.
//   - Nothing is deleted, whatever fails: a refused response, an end of life, a
//     certificate that is no longer configured. Two exceptions: the operator asks
//     for it by on_revoked = "remove"; and where HAProxy is strict (zero-warning,
//     -dW), a response that has ended or a placeholder would keep it from starting.
//   - The file is written first, then the targets are told. A target that fails
//     is tried again with growing pauses and delays neither other targets nor
//     other certificates' files.
//   - A failed write does not hold back the targets: what they serve may be
//     about to end.
//
// What it does not promise: that a target runs exactly once for a response.
// After a restart of this process or of what is behind the target, it is told
// again.
//
// Every function of a Writer may be called concurrently, with the exception
// that Pass and Run exclude each other.
package writer
