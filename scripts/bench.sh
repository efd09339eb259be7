#!/usr/bin/env bash
# What a sync costs on this machine, held against what the database and the carrier make it cost.
#
#   scripts/bench.sh [compare] [--devices N] [--rounds N]
#                      the service against the database's own limit, in alternating rounds, on a
#                      durable Postgres and on SQLite            (default: 100000 devices, 5 rounds)
#   scripts/bench.sh latency   a carrier that takes 50 ms per answer, in bulk and device by device
#   scripts/bench.sh memory    peak memory at 100,000 and at 1,000,000 devices
#   scripts/bench.sh curve     1k to 1M devices in one account; 1 to 10,000 accounts of 10 devices
#   scripts/bench.sh run       10,000 accounts in one `carrier-sync run`: lateness, memory, idle CPU
#   scripts/bench.sh processes 2,000 accounts shared by 1, 2 and 4 processes: shares, lateness, CPU
#   scripts/bench.sh status [--devices N] [--rounds N]
#                      the status server: snapshot and page of 10,000 integrations, a sync while somebody
#                      asks, an idle service
#
# It builds the release, starts a Postgres and a simulated carrier of its own and removes them on the
# way out. Needs Postgres 13 or newer and Python 3. What the figures mean: docs/performance.md.
# Nothing here passes or fails by time.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=scripts/postgres.sh
source "$root/scripts/postgres.sh"
cd "$root"

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

fail() {
    echo "bench.sh: $1 (see scripts/bench.sh --help)" >&2
    exit 64
}

command=compare devices=100000 rounds=5
while [[ $# -gt 0 ]]; do
    case "$1" in
        -h | --help) usage && exit 0 ;;
        compare | latency | memory | curve | run | processes | status) command="$1" && shift ;;
        --devices | --rounds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 takes a number above 0"
            printf -v "${1#--}" '%s' "$2" && shift 2
            ;;
        *) fail "unknown argument $1" ;;
    esac
done
command -v python3 >/dev/null || fail "python3 is needed"

BENCH_HOME=""
clean_up() {
    stop_postgres
    [[ -z $BENCH_HOME ]] || rm -rf "$BENCH_HOME"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Where a benchmark's program is, built if need be.
built() {
    cargo bench --locked --no-run --bench "$1" --message-format=json-render-diagnostics |
        python3 -c 'import json, sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("target", {}).get("name") == sys.argv[1] and made.get("executable"):
        print(made["executable"])' "$1"
}

# These first: building them leaves a carrier-sync behind that has the tests' features.
limit="$(built limit)"
fleet="$(built fleet)"
cargo build --release --locked
target="$(cargo metadata --locked --no-deps --format-version 1 |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')"

# Durable, as a fleet's database is. The log may grow to 4 GB before a checkpoint comes by itself, so
# that none falls into a round: each round begins with one.
POSTGRES_SETTINGS="-c fsync=on -c full_page_writes=on -c synchronous_commit=on \
    -c shared_buffers=512MB -c max_wal_size=4GB -c checkpoint_timeout=1h -c max_connections=60"
start_postgres
BENCH_HOME="$(mktemp -d "${TMPDIR:-/tmp}/carrier-sync-bench.XXXXXX")"
export BENCH_HOME POSTGRES_BIN TEST_DATABASE_URL

printf '\n%s, %s cores, %s\n%s, fsync on\n' "$(uname -srm)" "$(nproc)" "$(date -u +%F)" \
    "$("$POSTGRES_BIN/postgres" --version)"
echo "scripts/bench.sh $command --devices $devices --rounds $rounds"
PYTHONDONTWRITEBYTECODE=1 python3 "$root/scripts/bench/main.py" \
    "$target/release/carrier-sync" "$limit" "$fleet" "$command" "$devices" "$rounds"
