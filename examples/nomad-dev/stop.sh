#!/bin/sh
# Ends what start.sh has started, and removes what it has made. To be run in the example's folder. A Nomad in -dev mode ends
# its jobs when it ends, which takes some seconds.
set -eu
for pid in $(cat run/pids); do
    kill "$pid" 2> /dev/null || true
done
for pid in $(cat run/pids); do
    while kill -0 "$pid" 2> /dev/null; do sleep 1; done
done
rm -rf "$(cat run/nomad.folder)" run
