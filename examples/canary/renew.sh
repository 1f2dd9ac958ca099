#!/bin/sh -e
# Makes a new canary and brings it where certificates of its kind come from: here
# into HAProxy's folder and the running HAProxy. It is run again if it fails, so
# that each step may be done twice.
pem=$(consul-ocsp testca issue -responder=http://127.0.0.1:8888 "$RUN/ca" canary.example.test)
file=$RUN/certs/canary.example.test.pem
cp "$pem" "$file.new"
mv "$file.new" "$file"

# What HAProxy is told ends with an empty line. It says "Success!" after commit.
say() { socat - "UNIX-CONNECT:$RUN/haproxy.sock"; }
{ printf 'set ssl cert %s <<\n' "$file"; grep -v '^$' "$file"; echo; } | say > /dev/null
echo "commit ssl cert $file" | say | grep Success
