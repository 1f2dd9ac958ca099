// Package hclconfig turns the text of job files into one checked [Config], or
// into [Diagnostics] that show file, line, snippet and remedy.
//
// Use [Load] with the files and folders of the command line, or with what
// [DefaultPaths] finds; [Parse] does the same for text that is already in
// memory. All files together form one configuration: their order decides the
// order of the jobs and nothing else.
//
// What a returned Config guarantees:
//
//   - every value is of its type and within its bounds, every default is filled
//     in, and what a block inherits is resolved: a job's and a certificate's
//     Fetch are complete;
//   - names are safe as a path element and as a Consul key: [A-Za-z0-9._-],
//     neither "." nor "..";
//   - paths are absolute and hold no control characters;
//   - nothing that was written is ignored: an unknown name is an error, and so
//     is a setting that this version reads but cannot act on.
//
// All errors are collected, so that one run shows whatever is wrong. Tokens are
// blanked out in the snippets and are of type [Secret] in the Config.
//
// The package reads the job files and nothing else: whether a certificate
// exists, a folder is writable or a command can be run is found out by those
// who use them. It keeps no state and may be used from several goroutines.
package hclconfig
