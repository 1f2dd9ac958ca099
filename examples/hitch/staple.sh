#!/bin/sh
# Gives hitch a response that says good, from standard input, and takes it away
# where it says something else: hitch takes no such response, and would not even
# start with one.
set -eu

staple=$RUN/staples/$(basename "$CONSUL_OCSP_CERT").ocsp
if [ "$CONSUL_OCSP_STATUS" = good ]; then
    cat > "$staple.new"
    mv "$staple.new" "$staple"
else
    rm -f "$staple"
    echo "$CONSUL_OCSP_NAME is $CONSUL_OCSP_STATUS and has no staple any more"
fi

# Where hitch does not run it reads this when it starts. With systemd instead:
# systemctl try-reload-or-restart hitch
"$(dirname "$0")/configure.sh"
[ ! -s "$RUN/hitch.pid" ] || kill -HUP "$(cat "$RUN/hitch.pid")"
