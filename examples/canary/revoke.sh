#!/bin/sh
# Revokes the canary at its CA. With openssl's CA it is
#
#   openssl ca -config openssl.cnf -revoke "$CONSUL_OCSP_CERT" -crl_reason superseded
#
# and for a CA elsewhere its API, or ssh. An error is reported, and no other
# revocation tried before the next round.
exec consul-ocsp testca revoke "$RUN/ca" canary.example.test
