// Package render finds the one response that a template or a script wants and
// prints it, and nothing else: it is what stands behind consul-template's
// plugin protocol, where standard output becomes the value.
//
// What it promises:
//
//   - Nothing is printed that staple.Verify did not accept here and now, for the
//     caller's own certificate and issuer. Sources are believed in nothing, not
//     even in what they say of a response's age.
//   - Of several sources the newest response counts (record.Supersedes); one
//     source that fails, hangs until the context ends, or lies never hides what
//     another one has.
//   - A response that has ended, or that says "unknown", is none.
//
// What it does not promise: that an older response is never printed after a
// newer one. It keeps no state; the sources do.
//
// consul-template trims white space around what a plugin prints and so damages
// raw DER: there the format is base64, decoded by base64Decode in the template.
package render
