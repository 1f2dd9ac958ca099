# Staples as files, for servers that consul-ocsp does not deliver to. HAProxy does
# not need these, and no command runs here: a server that reads its staple from a
# file gets one with its own way to reload, and with the same kind of limit.

# A response that does not verify makes the plugin fail. By default that ends
# consul-template; like this it says so, keeps the last good file, and goes on.
template_error_fatal = false

template {
  source      = "templates/by-name.ocsp.ctmpl"
  destination = "run/staples/by-name.ocsp"
}

template {
  source      = "templates/by-plugin.ocsp.ctmpl"
  destination = "run/staples/by-plugin.ocsp"
}
