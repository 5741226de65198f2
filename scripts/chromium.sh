#!/usr/bin/env bash
# Prints the path of a Chromium that the browser tests can drive, installing one where that can be done unasked.
# Looked at in this order: $CHROMIUM, what is on the PATH, Debian's package, Playwright's own build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }

# A browser that starts and is no snap: a snap has its own /tmp and cannot be driven from outside, and Ubuntu's
# chromium-browser is a stub that only asks for the snap.
usable() {
  local version
  version=$("$1" --version 2>/dev/null) && [[ -n $version && $version != *[Ss]nap* && $(readlink -f "$1") != */snap* ]]
}

on_path() {
  local name path
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    path=$(command -v "$name") && usable "$path" && { printf '%s\n' "$path"; return; }
  done
  return 1
}

playwrights_own() {
  local path
  path=$(.venv/bin/python -c '
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)' 2>/dev/null) && [[ -x $path ]] && printf '%s\n' "$path"
}

as_root=()
may_install() {
  command -v apt-get >/dev/null || return 1
  [[ $(id -u) == 0 ]] && return
  as_root=(sudo -n)
  command -v sudo >/dev/null && sudo -n true 2>/dev/null
}

apt_install() {
  say "Installing $* …"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2 ||
    { "${as_root[@]}" apt-get update >&2 &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2; }
}

is_debian() { grep -qx 'ID=debian' /etc/os-release 2>/dev/null; }

# Without these, Chinese and emoji are boxes, and their widths are not what a reader has.
fonts() {
  local missing=()
  command -v fc-list >/dev/null || return 0
  [[ -n $(fc-list :lang=zh) ]] || missing+=(fonts-noto-cjk)
  [[ -n $(fc-list :lang=und-zsye) ]] || missing+=(fonts-noto-color-emoji)
  ((${#missing[@]})) || return 0
  may_install && apt_install "${missing[@]}" || say "Fonts for Chinese or emoji are missing: apt-get install ${missing[*]}"
}

find_or_install() {
  if [[ -n ${CHROMIUM:-} ]]; then
    usable "$CHROMIUM" && { printf '%s\n' "$CHROMIUM"; return; }
    say "CHROMIUM=$CHROMIUM does not start, or is a snap, which cannot be driven from outside."
    return 1
  fi
  on_path && return
  playwrights_own && return
  if may_install; then
    if is_debian && apt_install chromium fontconfig fonts-noto-cjk fonts-noto-color-emoji; then on_path && return; fi
    say "Fetching Playwright's build of Chromium …"
    .venv/bin/playwright install --with-deps chromium >&2 && playwrights_own && return
  fi
  say "The browser tests need Chromium, and it could not be installed from here. Do one of these, then try again:"
  say "  Debian:  apt-get install chromium fonts-noto-cjk fonts-noto-color-emoji   (as root)"
  say "  Ubuntu:  .venv/bin/playwright install --with-deps chromium   (Ubuntu's own package is a snap, which will not do)"
  say "  or set CHROMIUM to the path of a Chromium or Google Chrome that is already there."
  return 1
}

browser=$(find_or_install)
fonts
printf '%s\n' "$browser"
