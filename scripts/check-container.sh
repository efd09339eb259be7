#!/usr/bin/env bash
# Runs an image of the container as docs/installing.md says, and looks whether it keeps what is promised there. It has no
# network, and its container and volume are removed again.
#
#   scripts/check-container.sh [IMAGE]     carrier-sync unless given; ENGINE=podman unless given, RUN_FLAGS for "run"
set -euo pipefail

image="${1:-carrier-sync}"
read -ra engine <<<"${ENGINE:-podman}"
read -ra flags <<<"${RUN_FLAGS:-}"
name="carrier-sync-check-$$"

fail() {
    echo "not as promised: $1" >&2
    "${engine[@]}" logs "$name" 2>&1 | tail -n 20 >&2 || true
    exit 1
}
remove() {
    "${engine[@]}" rm -f "$name" >/dev/null 2>&1 || true
    "${engine[@]}" volume rm "$name" >/dev/null 2>&1 || true
}
trap remove EXIT

start() {
    "${engine[@]}" run -d --name "$name" --network none --stop-timeout 30 --read-only --cap-drop ALL "${flags[@]}" \
        -v "$name:/var/lib/carrier-sync" "$image" >/dev/null
    local deadline=$((SECONDS + 30))
    until within carrier-sync health >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "it is ready"
        sleep 0.2
    done
}
within() { "${engine[@]}" exec -i "$name" "$@"; }
told() { "${engine[@]}" inspect --format "$1" "$name"; }

start
[[ "$(within id -u)" == 10001 ]] || fail "it runs as user 10001"
[[ -n "$(told '{{.Config.Healthcheck}}' | grep health)" ]] || fail "the image has its health check (podman build --format docker)"
within carrier-sync health --live >/dev/null || fail "the health check finds it alive"
if within touch /etc/written 2>/dev/null; then fail "it can write nothing but its volume"; fi
echo key | within carrier-sync integrations add -q --id kept --tenant t --carrier hologram --disabled --api-key-file - >/dev/null
"${engine[@]}" stop "$name" >/dev/null
[[ "$(told '{{.State.ExitCode}}')" == 0 ]] || fail "stopped, it drains and ends with 0"
"${engine[@]}" rm "$name" >/dev/null
start
within carrier-sync integrations list | grep -q '^kept ' || fail "its data outlives it"
echo "$image: as promised ($(within carrier-sync --version))"
