#!/bin/sh
# A fleet on this machine: a Redis, three workers, and a plan that they share; it ends with the report.
#
#   examples/fleet.sh [PLAN.toml]
#
# Needs redis-server (on Debian: apt-get install redis-server) and roundup, both on the PATH; ROUNDUP=/path/to/roundup names
# another. Without a plan it fetches from `roundup serve`, so that it needs no network.
set -eu
roundup=${ROUNDUP:-roundup}
folder=$(mktemp -d)
pids=
finish() {
    # Workers that are told to end finish what they have.
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# A Redis of its own, that only this user can reach and that survives being killed.
port=$((20000 + $$ % 10000))
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
umask 077
printf 'requirepass %s\n' "$password" >"$folder/redis.conf"
redis-server "$folder/redis.conf" --bind 127.0.0.1 --port "$port" --dir "$folder" --appendonly yes --save '' --loglevel warning &
pids="$pids $!"

# By the environment, because everybody sees the command line.
export REDIS_PASSWORD="$password"
fleet="redis://:\${REDIS_PASSWORD}@127.0.0.1:$port"

plan=${1:-}
if [ -z "$plan" ]; then
    "$roundup" serve --port 0 >"$folder/served" &
    pids="$pids $!"
    until grep -q http: "$folder/served"; do sleep 0.1; done
    url=$(sed -n 's/.*\(http:[^;]*\);.*/\1/p' "$folder/served")
    plan=$folder/plan.toml
    cat >"$plan" <<PLAN
[[job]]
name = "delay"
url = "$url/delay/0.{n}"
each = { n = { from = 1, to = 9 } }
[[job]]
name = "gone"
url = "$url/no-such-thing"
PLAN
fi

# Redis is there when it answers.
until "$roundup" worker "$fleet" --quiet --idle-exit 1ms 2>/dev/null; do sleep 0.1; done
for _ in 1 2 3; do
    "$roundup" worker "$fleet" --allow '*' --concurrency 5 &
    pids="$pids $!"
done
"$roundup" run "$plan" --fleet "$fleet"
