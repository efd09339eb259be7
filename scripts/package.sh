#!/usr/bin/env bash
# Builds the Debian package, with what is made from the program itself: its manual pages, completions, its unit.
#
#   scripts/package.sh                        a release build, then the package; says where it is
#   scripts/package.sh files PROGRAM FOLDER   only what is made from a program that is built
#
# Needs cargo-deb: cargo install cargo-deb --locked
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# What Cargo.toml takes from target/package.
make_files() {
    local program="$1" folder="$2"
    rm -rf "$folder"
    mkdir -p "$folder/man" "$folder/completions"
    "$program" man --into "$folder/man"
    gzip -9n "$folder"/man/*.1
    "$program" completions bash >"$folder/completions/carrier-sync"
    "$program" completions zsh >"$folder/completions/_carrier-sync"
    "$program" completions fish >"$folder/completions/carrier-sync.fish"
    sed 's|^ExecStart=/usr/local/bin/|ExecStart=/usr/bin/|' "$root/config/carrier-sync.service" \
        >"$folder/carrier-sync.service"
    grep -q '^ExecStart=/usr/bin/carrier-sync ' "$folder/carrier-sync.service"
}

make_deb() {
    cd "$root"
    cargo deb --version >/dev/null 2>&1 || {
        echo "no cargo-deb found: cargo install cargo-deb --locked" >&2
        exit 1
    }
    cargo build --locked --release --bin carrier-sync
    make_files "${CARGO_TARGET_DIR:-target}/release/carrier-sync" target/package
    cargo deb --locked --no-build
}

case "${1:-}" in
"") make_deb ;;
files) make_files "$2" "$3" ;;
*)
    echo "usage: package.sh [files PROGRAM FOLDER]" >&2
    exit 64
    ;;
esac
