#!/usr/bin/env bash
# A Postgres that a test may break: a throwaway cluster of its own, told on stdin what is to happen.
#
#   stop MODE | start | restart MODE        MODE: fast or immediate, as pg_ctl has them
#
# The first line of stdout is its URL; then one line, "ok" or "failed", answers each command. It ends
# and leaves nothing behind when stdin closes, so it does not outlive whoever started it, however
# that ended. Unlike the server of scripts/test.sh it syncs to disk: durability is the subject here.
set -uo pipefail

# shellcheck source=scripts/postgres.sh
source "$(dirname "${BASH_SOURCE[0]}")/postgres.sh"

try_start() {
    as_postgres "$POSTGRES_BIN/pg_ctl" --pgdata="$POSTGRES_HOME/data" --silent --wait --timeout=60 \
        --log="$POSTGRES_HOME/log" \
        --options="-p $1 -k $POSTGRES_HOME -h 127.0.0.1 -c max_connections=60" start
}

pg_ctl() {
    as_postgres "$POSTGRES_BIN/pg_ctl" --pgdata="$POSTGRES_HOME/data" --silent --wait --timeout=60 \
        --log="$POSTGRES_HOME/log" "$@" </dev/null >/dev/null 2>&1
}

trap stop_postgres EXIT
trap '' INT # Ctrl-C is for the tests; their end closes stdin
trap 'exit 143' TERM

start_postgres </dev/null >&2 || exit 1
# What pg_ctl started with is kept beside the data, so that it starts the same way again.
options="$(sed -e 's/^[^"]*//' -e 's/"//g' "$POSTGRES_HOME/data/postmaster.opts")"
echo "$TEST_DATABASE_URL"

while read -r command mode; do
    case "$command" in
        start) pg_ctl status || pg_ctl --options="$options" start ;;
        stop) pg_ctl --mode="$mode" stop ;;
        restart) pg_ctl --mode="$mode" stop && pg_ctl --options="$options" start ;;
        *) false ;;
    esac && echo ok || echo failed
done
