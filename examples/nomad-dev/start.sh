# Starts what the Nomad examples need, all on loopback: a CA with two certificates and its responder, a Consul that denies
# by default, and a Nomad whose tasks log in to Consul by workload identity. Read it into your shell, in the example's
# folder, since it sets variables there:
#
#   . ../nomad-dev/start.sh
#
# Everything is kept in the folder run and in a short folder under /tmp; ../nomad-dev/stop.sh ends it all.
export RUN="$PWD/run"
umask 077
mkdir "$RUN"

echo "a CA, and its responder"
consul-ocsp testca init "$RUN/ca" > "$RUN/ca.log"
consul-ocsp testca issue -responder=http://127.0.0.1:8888 "$RUN/ca" www.example.test shop.example.test >> "$RUN/ca.log"
consul-ocsp testca serve -listen=127.0.0.1:8888 "$RUN/ca" > "$RUN/responder.log" 2>&1 &
echo $! >> "$RUN/pids"

echo "Consul"
export CONSUL_HTTP_ADDR=127.0.0.1:8500
consul agent -config-file=../nomad-dev/consul.hcl -data-dir="$RUN/consul" > "$RUN/consul.log" 2>&1 &
echo $! >> "$RUN/pids"
until consul acl bootstrap > "$RUN/bootstrap" 2> "$RUN/bootstrap.error"; do sleep 1; done
# For the commands that follow you are who may do anything.
CONSUL_HTTP_TOKEN=$(awk '/^SecretID/ {print $2}' "$RUN/bootstrap")
export CONSUL_HTTP_TOKEN
consul acl policy create -name=nomad-agent -rules=@../nomad-dev/nomad-policy.hcl > /dev/null
NOMAD_TOKEN_FOR_CONSUL=$(consul acl token create -description="nomad agent" -policy-name=nomad-agent | awk '/^SecretID/ {print $2}')

echo "Nomad"
export NOMAD_ADDR=http://127.0.0.1:4646 NOMAD_CLI_SHOW_HINTS=false
# A socket's path has at most 107 bytes, and HAProxy's will be in an allocation: a short way to it.
NOMAD_FOLDER=$(mktemp -d /tmp/nomad.XXXXXX)
echo "$NOMAD_FOLDER" > "$RUN/nomad.folder"
mkdir "$NOMAD_FOLDER/tmp"
env -u AWS_CA_BUNDLE TMPDIR="$NOMAD_FOLDER/tmp" CONSUL_HTTP_TOKEN="$NOMAD_TOKEN_FOR_CONSUL" \
    nomad agent -dev -config=../nomad-dev/nomad.hcl -alloc-dir="$NOMAD_FOLDER/alloc" > "$RUN/nomad.log" 2>&1 &
echo $! >> "$RUN/pids"
until nomad node status 2> /dev/null | grep -q ready; do sleep 1; done

# The auth method, the binding rules and the role that all tasks have; what a job needs beyond it comes with the example.
nomad setup consul -y -jwks-url=http://127.0.0.1:4646/.well-known/jwks.json > "$RUN/setup.out"
echo "ready: Consul on $CONSUL_HTTP_ADDR, Nomad on $NOMAD_ADDR"
