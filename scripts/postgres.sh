# A throwaway Postgres for the tests: sourced by test.sh, which calls start_postgres and, on exit,
# stop_postgres. It listens on loopback and a socket in its own temporary directory, trusts everyone
# who gets there, and syncs nothing to disk: it lives for minutes and is never to be kept. Whoever
# needs it durable (bench.sh) sets POSTGRES_SETTINGS before start_postgres.

POSTGRES_HOME=""
POSTGRES_BIN=""
POSTGRES_AS=()
POSTGRES_SETTINGS="-c fsync=off -c full_page_writes=off -c synchronous_commit=off \
    -c max_connections=300"

# Newest server first: Debian keeps its binaries outside PATH.
find_postgres() {
    local candidate
    for candidate in \
        $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -Vr) \
        "$(pg_config --bindir 2>/dev/null || true)" \
        "$(dirname "$(command -v initdb 2>/dev/null || echo /nonexistent/initdb)")"; do
        if [[ -x "$candidate/initdb" && -x "$candidate/pg_ctl" && -x "$candidate/postgres" ]]; then
            POSTGRES_BIN="$candidate"
            return 0
        fi
    done
    return 1
}

# Debian's package starts a server of its own on installation; this asks it not to. A cluster that
# exists already is none of our business and is not touched.
install_postgres() {
    [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || return 1
    echo "no Postgres found: installing Debian's postgresql package"
    local settings=/etc/postgresql-common/createcluster.conf
    if [[ ! -e $settings ]]; then
        mkdir -p "$(dirname "$settings")"
        echo "create_main_cluster = false" >"$settings"
    fi
    export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold \
        postgresql >/dev/null
}

# initdb refuses root: run as the package's user, else as nobody.
choose_postgres_user() {
    [[ $EUID -eq 0 ]] || return 0
    local user
    for user in postgres nobody; do
        if id "$user" >/dev/null 2>&1; then
            chown "$user" "$POSTGRES_HOME"
            if command -v setpriv >/dev/null; then
                POSTGRES_AS=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
            else
                POSTGRES_AS=(runuser -u "$user" --)
            fi
            return 0
        fi
    done
    echo "Postgres refuses to run as root, and there is no user postgres or nobody" >&2
    return 1
}

as_postgres() {
    (cd "$POSTGRES_HOME" && env -u PGDATA -u PGHOST -u PGPORT "HOME=$POSTGRES_HOME" \
        ${POSTGRES_AS[@]+"${POSTGRES_AS[@]}"} "$@")
}

try_start() {
    as_postgres "$POSTGRES_BIN/pg_ctl" --pgdata="$POSTGRES_HOME/data" --silent --wait --timeout=60 \
        --log="$POSTGRES_HOME/log" \
        --options="-p $1 -k $POSTGRES_HOME -h 127.0.0.1 $POSTGRES_SETTINGS" start
}

# Sets TEST_DATABASE_URL.
start_postgres() {
    if ! find_postgres; then
        if ! { install_postgres && find_postgres; }; then
            cat >&2 <<'HELP'
The tests need Postgres 13 or newer and found none. Either
  - install the server:       apt-get install postgresql   (or your system's package), or
  - name a running one:       TEST_DATABASE_URL=postgres://SUPERUSER:PASSWORD@HOST/postgres
HELP
            return 1
        fi
    fi
    POSTGRES_HOME="$(mktemp -d "${TMPDIR:-/tmp}/carrier-sync-postgres.XXXXXX")"
    choose_postgres_user
    as_postgres "$POSTGRES_BIN/initdb" --pgdata="$POSTGRES_HOME/data" --username=postgres \
        --auth=trust --encoding=UTF8 --locale=C --no-sync >"$POSTGRES_HOME/initdb.log" 2>&1 || {
        cat "$POSTGRES_HOME/initdb.log" >&2
        return 1
    }
    # A port may be taken between choosing and listening: choose again.
    local port
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        if try_start "$port"; then
            export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres"
            return 0
        fi
    done
    echo "Postgres did not start:" >&2
    cat "$POSTGRES_HOME/log" >&2
    return 1
}

stop_postgres() {
    [[ -n $POSTGRES_HOME ]] || return 0
    if [[ -e $POSTGRES_HOME/data/postmaster.pid ]]; then
        as_postgres "$POSTGRES_BIN/pg_ctl" --pgdata="$POSTGRES_HOME/data" --silent \
            --mode=immediate stop || true
    fi
    rm -rf "$POSTGRES_HOME"
    POSTGRES_HOME=""
}
