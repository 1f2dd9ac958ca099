#!/bin/sh
# Takes the response that Nomad has rendered: verifies it, puts it beside the certificate, and hands it to HAProxy if that
# runs. What comes from Consul is not believed: HAProxy itself does not look at signatures.
set -eu
der=$NOMAD_TASK_DIR/www.der
pem=$NOMAD_TASK_DIR/certs/www.pem
socket=$NOMAD_ALLOC_DIR/haproxy.sock

[ -s "$der" ] || {
	echo "no response is in Consul yet"
	exit 0
}
"$CONSUL_OCSP" inspect -cert="$pem" "$der" || {
	echo "no staple is installed: what is in Consul is not a response for $pem" >&2
	exit 1
}
# Whole or absent: HAProxy skips names that begin with a dot.
cp "$der" "$NOMAD_TASK_DIR/certs/.www.pem.ocsp"
mv "$NOMAD_TASK_DIR/certs/.www.pem.ocsp" "$pem.ocsp"

[ -S "$socket" ] || exit 0
answer=$(echo "set ssl ocsp-response $(base64 "$pem.ocsp" | tr -d '\n')" | socat -t 10 - "UNIX-CONNECT:$socket")
echo "HAProxy: $answer"
case $answer in
*"OCSP Response updated"*) ;;
*) exit 1 ;;
esac
