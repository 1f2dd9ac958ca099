package main

import (
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin"
)

func historyCommand(e environment) *command {
	c := newCommand(e, "history [-json] [-at TIME] ID", "Shows the signed responses kept for a certificate", `
With fetch { history = n } an agent keeps the last n signed responses of each
certificate in its data_dir, with when its node stapled them, and while it leads
also since when other nodes have them. This shows them, the newest first. It
reads data_dir alone: neither Consul nor the agent is needed. Each response is
verified again, for the time at which it was signed.

ID is the certificate's id, or the first eight digits of it or more, its
fingerprint as openssl prints it, its file, job/name, its serial number, or a
host name of it.

With -at it shows what each place had at that time, and nothing else.

How says how a response got there: file (it was written), found (it was there
when the agent first looked), set, transaction, reload or run (how a server
got it); of other nodes told (the node told when all its files and servers had it)
or seen (its record in Consul showed it, by then at the latest).

Exit codes: 0 there are responses, and each verifies; 1 there are none, or one
does not verify, or a file is not what it should be; 2 usage or configuration.

Example:
  consul-ocsp history edge/www
  consul-ocsp history -at 2026-01-03T14:00:00Z www.example.com`)
	f := configuredFlags(c)
	asJSON := c.flags.Bool("json", false, "print JSON, with each response in base64")
	at := c.flags.String("at", "", "show what was stapled at this `time`, as in 2026-01-03T14:00:00Z")
	c.run = func(c *command, args []string) int {
		if len(args) != 1 {
			return c.wrongUsage("it takes one certificate")
		}
		o := plugin.HistoryOptions{}
		if *at != "" {
			var err error
			if o.At, err = time.Parse(time.RFC3339, *at); err != nil {
				return c.wrongUsage("-at: %q is no time as in 2026-01-03T14:00:00Z", *at)
			}
		}
		cfg, ok := f.load(c)
		if !ok {
			return exitUsage
		}
		id, err := plugin.FindHistory(cfg, args[0])
		if err != nil {
			return c.failed(err)
		}
		h, err := plugin.History(cfg, id, o)
		if err != nil {
			return c.failed(err)
		}
		write := h.WriteText
		if *asJSON {
			write = h.WriteJSON
		}
		if err := write(c.stdout); err != nil {
			return c.failed(err)
		}
		if found, sound := h.Sound(); !found || !sound {
			return exitFailed
		}
		return exitOK
	}
	return c
}
