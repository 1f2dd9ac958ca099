#!/bin/sh
# Reloads HAProxy for a new certificate: at once, but not again within PAUSE
# seconds. Whoever calls it meanwhile is served by the one reload that follows, so
# that a hundred certificates that are rotated together are two reloads.
#
# It returns at once and always ends with 0: a command that fails ends
# consul-template, and no certificate would be rotated any more. What goes wrong is
# in its log, and HAProxy goes on with what it has.
PAUSE=${PAUSE:-10}
cd "$(dirname "$0")" || exit 0

say() { echo "$(date -u +%FT%TZ) $*" >> "$RUN/reload.log"; }

reload() {
    [ -S "$RUN/master.sock" ] || return # not started yet: it will load the new file
    if ! haproxy -c -f haproxy.cfg > "$RUN/reload.check" 2>&1; then
        say "not reloaded, HAProxy would refuse this: $(grep -m 1 ALERT "$RUN/reload.check")"
        return 1
    fi
    # The master does not listen for a moment after each start and reload.
    for attempt in 1 2 3 4 5; do
        if echo reload | socat - "UNIX-CONNECT:$RUN/master.sock" > /dev/null 2>&1; then
            say reloaded
            return 0
        fi
        sleep 1
    done
    say "not reloaded, the master socket does not answer"
    return 1
}

{
    flock -n 8 || exit 0 # one waits already, and will load this file too
    flock 9              # until the pause after the last reload is over
    exec 8>&-            # whoever comes now needs the next one
    reload && sleep "$PAUSE"
} 8> "$RUN/reload.next" 9> "$RUN/reload.last" < /dev/null > /dev/null 2>&1 &
