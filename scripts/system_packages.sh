#!/bin/sh
# What the tests need of the system: Node and npm for Authsignal's JavaScript SDKs, Chromium for its browser SDK,
# PostgreSQL to load into, Redis to share a budget in, nginx with its Lua module for the benchmarks. With the word `bench`, what those need only.
# Says nothing when all of it is there. Installs what is not through apt-get where it may; elsewhere it says what is
# missing and goes on: the tests that need it fail then, and say so.
set -u

missing=""
lacks() { ! command -v "$1" >/dev/null 2>&1; }
need_for_tests() {
    lacks node && missing="$missing nodejs"
    lacks npm && missing="$missing npm"
    if [ -z "${CHROMIUM:-}" ] && lacks chromium && lacks chromium-browser && lacks google-chrome; then
        missing="$missing chromium"
    fi
    if lacks initdb && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        missing="$missing postgresql"
    fi
    lacks redis-server && missing="$missing redis-server"
}
need_for_benchmarks() {
    lacks nginx && lacks /usr/sbin/nginx && missing="$missing nginx-light"
    [ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || missing="$missing libnginx-mod-http-lua"
}
[ "${1:-}" = bench ] || need_for_tests
need_for_benchmarks
[ -z "$missing" ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo -n"
    $as_root true >/dev/null 2>&1 || as_root="none"
fi
if lacks apt-get || [ "$as_root" = none ]; then
    echo "The tests need packages that are not installed here:$missing." >&2
    if lacks apt-get; then
        echo "Install Node 18 or newer with npm, Chromium or Chrome (CHROMIUM=/path/to/it says where it is), PostgreSQL, Redis," >&2
        echo "and nginx with its Lua module (OpenResty has it built in)." >&2
    else
        echo "Install them with: sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
    fi
    echo "Until then, the tests that need them fail." >&2
    exit 0
fi

echo "Installing for the tests:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # words are wanted
if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install:$missing" >&2
    exit 1
fi
case "$missing" in
*nginx-light*) # Debian starts it as a service on port 80, which nobody asked for
    lacks systemctl || $as_root systemctl disable --now nginx >/dev/null 2>&1
    ;;
esac
exit 0
