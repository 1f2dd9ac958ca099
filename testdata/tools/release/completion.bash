# consul-ocsp itself says what comes next.
complete -o nospace -C consul-ocsp consul-ocsp
