// Package record is what consul-ocsp stores: in Consul KV, and in data_dir. It
// holds the shape of each record, its encoding and its version, and the one
// rule that decides which of two responses for a certificate stays.
//
// Decoders treat their input as hostile: sizes and shapes are checked, and a
// record that does not fit is an error, never a half-filled value. Unknown
// JSON fields are ignored, so that a newer agent may add some: they decide
// nothing here.
//
// Nothing in this package verifies a signature. A record that decodes is well
// formed, not true: whoever uses the DER in it verifies it first.
package record

// Format is the version of the records that this agent writes. A cluster whose
// records carry a higher one is led by newer agents only.
const Format = 1
