#!/usr/bin/env bash
# A throwaway PgBouncer in transaction mode, for the tests: what the service must work behind.
#
#   pgbouncer.sh install            sees that there is one (Debian's package, as root)
#   pgbouncer.sh HOST PORT USERS    runs one before the server at HOST:PORT; USERS is its auth_file
#
# The first line of stdout is the port it listens on. It ends when stdin closes, so it does not outlive
# whoever started it, however that ended.
set -uo pipefail

find_pgbouncer() {
    command -v pgbouncer || { [[ -x /usr/sbin/pgbouncer ]] && echo /usr/sbin/pgbouncer; }
}

# Debian's package starts a service of its own on installation; this runlevel has none.
install_pgbouncer() {
    find_pgbouncer >/dev/null && return 0
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "The tests need PgBouncer and found none: install your system's package pgbouncer" >&2
        return 1
    fi
    echo "no PgBouncer found: installing Debian's pgbouncer package"
    export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 RUNLEVEL=1
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold \
        pgbouncer >/dev/null
}

if [[ ${1:-} == install ]]; then
    install_pgbouncer
    exit
fi

program="$(find_pgbouncer)" || { echo "no PgBouncer: run scripts/pgbouncer.sh install" >&2; exit 1; }
home="$(mktemp -d "${TMPDIR:-/tmp}/carrier-sync-pgbouncer.XXXXXX")"
pid=""
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null; rm -rf "$home"' EXIT
trap '' INT # Ctrl-C is for the tests; their end closes stdin
trap 'exit 143' TERM
cp "$3" "$home/users"

# It refuses to run as root.
as=()
if [[ $EUID -eq 0 ]]; then
    user=nobody
    chown -R "$user" "$home"
    as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
fi

# Fewer connections to the server than one of our processes keeps to the pooler, so that they are shared.
# extra_float_digits: sqlx sends it when it connects, and PgBouncer refuses what it does not know.
configure() {
    cat >"$home/ini" <<INI
[databases]
* = host=$1 port=$2
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $3
unix_socket_dir =
auth_type = md5
auth_file = $home/users
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
INI
}

# A port may be taken between choosing and listening: choose again.
for _ in 1 2 3 4 5; do
    port=$((32000 + RANDOM % 8000))
    configure "$1" "$2" "$port"
    ${as[@]+"${as[@]}"} "$program" -q "$home/ini" </dev/null >"$home/log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        if ! kill -0 "$pid" 2>/dev/null; then
            pid=""
            break
        elif (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            cat >/dev/null
            exit 0
        fi
        sleep 0.05
    done
done
cat "$home/log" >&2
exit 1
