#!/bin/sh
# What cron ran once a day: one certificate, given as its path.
set -eu
cert=$1
ca=$(openssl x509 -noout -ext authorityInfoAccess -in "$cert" | sed -n 's/.*CA Issuers - URI://p')
url=$(openssl x509 -noout -ocsp_uri -in "$cert")
curl -s "$ca" | openssl x509 -inform DER -out "$RUN/issuer.pem" 2> /dev/null

openssl ocsp -noverify -no_nonce -issuer "$RUN/issuer.pem" -cert "$cert" -url "$url" \
    -header "Host=$(echo "$url" | cut -d/ -f3)" -respout "$cert.ocsp"
[ ! -S "$RUN/haproxy.sock" ] ||
    echo "set ssl ocsp-response $(base64 -w 0 "$cert.ocsp")" | socat stdio "unix-connect:$RUN/haproxy.sock"
