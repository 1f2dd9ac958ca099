#!/bin/sh
# Writes hitch's configuration: hitch.conf, and all certificates, each with its
# response if it has one.
set -eu

{
    cat "$(dirname "$0")/hitch.conf"
    for pem in "$RUN"/certs/*.pem; do
        staple=$RUN/staples/$(basename "$pem").ocsp
        echo "pem-file = {"
        echo "    cert = \"$pem\""
        [ ! -s "$staple" ] || echo "    ocsp-resp-file = \"$staple\""
        echo "}"
    done
} > "$RUN/hitch.conf.new"
mv "$RUN/hitch.conf.new" "$RUN/hitch.conf"
