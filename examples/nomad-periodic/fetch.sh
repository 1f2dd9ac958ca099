#!/bin/sh
# Runs a pass of consul-ocsp, given as arguments, and ends in the way that Nomad understands: every code but 0 is a
# failure of the allocation. What may pass is tried again here. What can't pass, since the configuration is wrong, is not:
# the allocation fails at once, and says why.
tries=3
pause=20 # seconds

try=1
while true; do
	"$@"
	code=$?
	case $code in
	0) exit 0 ;;
	2)
		echo "CONFIGURATION ERROR, not tried again: the lines above say where. Correct the job and run it anew." >&2
		exit 2
		;;
	3)
		echo "some certificates failed; the next period tries them again" >&2
		exit 0
		;;
	esac
	echo "try $try of $tries ended with $code" >&2
	[ "$try" -lt "$tries" ] || exit "$code"
	try=$((try + 1))
	sleep "$pause"
done
