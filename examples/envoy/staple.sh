#!/bin/sh
# Writes the secret that Envoy watches, with the response from standard input
# inside, and moves it into place: a rename is what Envoy notices.
set -eu

secret=${ENVOY_SECRETS:-/etc/envoy/secrets}/$CONSUL_OCSP_NAME.json
cat > "$secret.new" << EOF
{
  "resources": [
    {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
      "name": "$CONSUL_OCSP_NAME",
      "tls_certificate": {
        "certificate_chain": { "filename": "$CONSUL_OCSP_CERT" },
        "private_key": { "filename": "${CONSUL_OCSP_CERT%.pem}.key" },
        "ocsp_staple": { "inline_bytes": "$(base64 | tr -d '\n')" }
      }
    }
  ]
}
EOF
mv "$secret.new" "$secret"
