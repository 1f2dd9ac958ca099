#!/bin/sh
# Has lighttpd read its files again where a response can't wait: the first of a
# certificate, and one of another status than the last. The others lighttpd reads
# by itself, some minutes before what it has loaded ends.
set -eu

last=$RUN/status/$CONSUL_OCSP_ID
[ "$(cat "$last" 2> /dev/null)" != "$CONSUL_OCSP_STATUS" ] || exit 0

# Where it does not run it reads them when it starts. With systemd instead:
# systemctl try-reload-or-restart lighttpd
if [ -s "$RUN/lighttpd.pid" ]; then
    kill -USR1 "$(cat "$RUN/lighttpd.pid")"
    echo "lighttpd reads its files again: $CONSUL_OCSP_NAME is $CONSUL_OCSP_STATUS"
fi
mkdir -p "$RUN/status"
echo "$CONSUL_OCSP_STATUS" > "$last"
