#!/bin/sh
# Starts HAProxy, given as arguments, with the staple if there is one. Without one an empty file takes its place: HAProxy
# warns, and can be handed a staple later. Without the file it could not.
: > "$NOMAD_TASK_DIR/certs/www.pem.ocsp"
"$NOMAD_TASK_DIR/staple.sh"
exec "$@"
