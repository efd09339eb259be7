#!/usr/bin/env bash
# Everything that must hold before a change is done: format, lints, all tests.
#
#   scripts/test.sh                     all of it
#   scripts/test.sh store:: -- --nocapture   arguments go to cargo test
#
# The tests need a Postgres superuser: TEST_DATABASE_URL if set, else a throwaway server that is
# started here and removed on the way out. Tests are never skipped for want of one.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=scripts/postgres.sh
source "$root/scripts/postgres.sh"
cd "$root"

heading() { printf '\n==> %s\n' "$*"; }

# Ctrl-C and kill end in the EXIT trap too, so the server never outlives this script.
trap stop_postgres EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

heading "format"
# Their modules are declared by a macro, which rustfmt does not look into.
cargo fmt --check -- src/carriers/*/mod.rs

heading "lints"
cargo clippy --all-targets --locked -- -D warnings

if [[ -n ${TEST_DATABASE_URL:-} ]]; then
    heading "tests, with the Postgres of TEST_DATABASE_URL"
else
    heading "a throwaway Postgres"
    start_postgres
    echo "$("$POSTGRES_BIN/postgres" --version), at $TEST_DATABASE_URL"
    heading "tests"
fi
bash "$root/scripts/pgbouncer.sh" install
bash "$root/scripts/promtool.sh" install >/dev/null
bash "$root/scripts/chromium.sh" install
bash "$root/scripts/systemd.sh" install >/dev/null
cargo test --locked "$@"

heading "all good after ${SECONDS} s"
