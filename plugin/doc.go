// Package plugin is consul-ocsp as a whole: it gives the parts in the packages
// below it what a checked configuration says, by package settings, and runs them.
//
//	        the elected agent (one per cluster)              every node
//	certificate ─► request ─► responder ─► verify ─► publish ═ Consul KV ═ follow ─► verify ─► file ─► HAProxy, nginx, exec
//	 inventory     staple     responder    staple    consul                consul    staple    writer  haproxy, writer
//	    ▲                                                                                                │
//	    └──────────── certificates that nodes announce (Consul KV) ◄─────────────────────────────────────┘
//
// Without a consul block the same parts run standalone: what the fetching part
// publishes, the delivering part follows, is the data_dir.
//
// An [Agent] runs until it is stopped. [Fetch], [Sync], [Status] and
// [FindStaple] do one pass with the same parts and end; [Plan] and [Compare] look
// and change nothing. [FetchCertificate], as package restaple, is one pass for one
// certificate, without a job file.
//
// What holds throughout:
//   - no byte reaches a file or a socket that was not verified in this process;
//   - an older response never replaces a newer one;
//   - a failing certificate, responder, target or Consul delays no other, and
//     takes no staple away.
package plugin
