#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The library and the terminal program build and run without the window, in a build folder of their own. The compiler
# cache makes this cheap: it is the same code.
# shellcheck disable=SC2317 # functions are called through check
set -u

work=$MIEN_BUILD_ROOT/without-app
export CCACHE_NOHASHDIR=1
number=0
failed=0
echo "1..4"

check ()
{
  title=$1
  shift
  number=$((number + 1))
  if "$@" > "$work.log" 2>&1; then
    echo "ok $number - $title"
  else
    sed 's/^/# /' "$work.log" | tail -n 40
    echo "not ok $number - $title"
    failed=1
  fi
}

configure ()
{
  if [ -f "$work/build.ninja" ]; then
    meson configure "$work" -Dapp=disabled
  else
    meson setup "$work" "$MIEN_SOURCE_ROOT" -Dapp=disabled
  fi
}

links_no_gtk ()
{
  ldd "$work/app/cli/mien-cli" && ! ldd "$work/app/cli/mien-cli" | grep -E 'libgtk|libadwaita|libgdk-'
}

check "configures with -Dapp=disabled" configure
check "builds mien-cli" ninja -C "$work" app/cli/mien-cli
check "mien-cli runs" "$work/app/cli/mien-cli" --version
check "mien-cli links no GTK" links_no_gtk
exit $failed
