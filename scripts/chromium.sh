#!/usr/bin/env bash
# Chromium and its driver, for the tests of the status page.
#
#   chromium.sh install    installs Debian's packages as root where they are missing, else says what to install
#   chromium.sh            succeeds where both are there
set -euo pipefail

are_there() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }

install_them() {
    if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
        echo "The tests need Chromium and its driver and found none: install your system's packages" \
            "(Debian: chromium, chromium-driver, fonts-dejavu-core)" >&2
        return 1
    fi
    echo "no Chromium found: installing Debian's packages chromium, chromium-driver, fonts-dejavu-core" >&2
    local packages=(chromium chromium-driver fonts-dejavu-core)
    export DEBIAN_FRONTEND=noninteractive
    # The list of packages may be too old for what the mirror has.
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    }
}

if [[ ${1:-} == install ]]; then
    are_there || install_them
fi
are_there
