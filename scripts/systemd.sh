#!/usr/bin/env bash
# systemd's own judge of units, for the tests: prints where it is.
#
#   systemd.sh install    installs Debian's package where there is none and it runs as root
#   systemd.sh            prints the path, or fails
set -euo pipefail

if [[ ${1:-} == install ]] && ! command -v systemd-analyze >/dev/null; then
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "The tests need systemd-analyze and found none: install your system's package systemd" >&2
        exit 1
    fi
    echo "no systemd-analyze found: installing Debian's package systemd" >&2
    # The list of packages may be too old for what the mirror has.
    apt-get install -qq --no-install-recommends systemd >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -qq --no-install-recommends systemd >/dev/null
    }
fi
command -v systemd-analyze
