package main

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin"
	"github.com/consul-ocsp/consul-ocsp/plugin/render"
)

func renderCommand(e environment) *command {
	c := newCommand(e, "render [flags]", "Prints a staple: plugin of consul-template", `
Prints the newest response for a certificate that verifies here and now, from
Consul or else data_dir, and nothing else; without one it prints nothing to
standard output and ends with 1. An empty value, as templates pass when one is not
there yet, counts as its flag left out; without -cert and -name it prints nothing
and ends with 0.

It waits at most 5s for Consul, 5s for the URL of an issuer that is in no file,
and besides for as long as -wait says. consul-template kills a plugin after 30s.

consul-template calls a plugin only when something else in the template changes,
and trims what it prints: name v1/head in the template, and print base64.

Example:
  {{ with key "consul-ocsp/v1/head" -}}
  {{ plugin "consul-ocsp" "render" "-cert" "/etc/haproxy/certs/www.pem" | base64Decode }}
  {{- end -}}`)
	f := configuredFlags(c)
	var o plugin.FindOptions
	c.flags.StringVar(&o.Path, "cert", "", "PEM `file` of the certificate")
	c.flags.StringVar(&o.Name, "name", "", "the certificate with this `job/name` in this node's job file")
	format := c.flags.String("format", string(render.Base64), "`form`: base64, der, pem, json or haproxy (the runtime API's command)")
	c.flags.DurationVar(&o.Wait, "wait", 0, "wait up to this `time` for a staple where there is none yet")
	c.prepare = withoutEmpty
	c.run = func(c *command, args []string) int {
		if len(args) > 0 {
			return c.wrongUsage("unexpected argument %q; name the certificate with -cert or -name", args[0])
		}
		form, err := render.ParseFormat(*format)
		if err != nil {
			return c.wrongUsage("%v", err)
		}
		if o.Wait < 0 {
			return c.wrongUsage("-wait: %v is less than nothing", o.Wait)
		}
		if o.Path == "" && o.Name == "" {
			return exitOK
		}
		if o.Path != "" && o.Name != "" {
			return c.wrongUsage("-cert and -name exclude each other")
		}
		cfg, ok := f.load(c)
		if !ok {
			return exitUsage
		}
		ctx, stop := c.interrupted()
		defer stop()
		facts, id, err := plugin.FindStaple(ctx, cfg, o, hclog.NewNullLogger())
		if err != nil {
			return c.failed(err)
		}
		if err := form.Check(facts, time.Now()); err != nil {
			return c.failed(err)
		}
		if err := render.Write(c.stdout, facts, id, form); err != nil {
			return c.failed(err)
		}
		return exitOK
	}
	return c
}
