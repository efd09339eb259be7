#!/usr/bin/env bash
# Prometheus' own checker of metrics and rules, for the tests: prints where it is.
#
#   promtool.sh install    fetches Debian's package and takes the one program out of it, where there is none;
#                          nothing is installed, so no server is started
#   promtool.sh            prints the path, or fails
set -euo pipefail

kept="${XDG_CACHE_HOME:-$HOME/.cache}/carrier-sync/promtool"

find_promtool() {
    command -v promtool || { [[ -x $kept ]] && echo "$kept"; }
}

fetch_promtool() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "The tests need promtool and found none: install your system's package prometheus" >&2
        return 1
    fi
    echo "no promtool found: taking it out of Debian's prometheus package" >&2
    local folder
    folder="$(mktemp -d "${TMPDIR:-/tmp}/carrier-sync-promtool.XXXXXX")"
    trap 'rm -rf "$folder"' RETURN
    (
        cd "$folder"
        # The list of packages may be too old for what the mirror has.
        apt-get download -qq prometheus >/dev/null 2>&1 || {
            apt-get update -qq
            apt-get download -qq prometheus >/dev/null
        }
        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
    )
    mkdir -p "$(dirname "$kept")"
    mv "$folder/usr/bin/promtool" "$kept"
}

if [[ ${1:-} == install ]]; then
    find_promtool >/dev/null || fetch_promtool
fi
find_promtool
