#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The kernels and their tests, built for 64-bit ARM with nothing but its C library, and run by QEMU.
set -eu

cc=aarch64-linux-gnu-gcc
root=$MIEN_SOURCE_ROOT
out=$MIEN_BUILD_ROOT/tests/kernels/arm

for tool in "$cc" qemu-aarch64; do
  if ! command -v "$tool" >/dev/null; then
    echo "1..0 # SKIP $tool is not here (packages gcc-aarch64-linux-gnu and qemu-user)"
    exit 0
  fi
done

mkdir -p "$out"
flags="-std=gnu17 -D_GNU_SOURCE -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -Wall -Wextra -Werror -Wno-unused-parameter
  -Wno-missing-field-initializers -Wno-sign-compare -DMIEN_HAVE_X86=0 -DMIEN_HAVE_ARM=1 -I$root/src -I$root/tests -I$root/tests/kernels/arm"
objects=
for source in "$root"/src/kernels/*.c "$root"/src/kernels/arm/*.c "$root"/src/kernels/portable/*.c "$root/tests/kernels/mien-check.c" "$root/tests/kernels/arm/shim.c"; do
  object=$out/$(basename "$source" .c).o
  # shellcheck disable=SC2086 # the flags are words
  if ! $cc $flags -c "$source" -o "$object"; then
    echo "Bail out! $(basename "$source") does not compile"
    exit 1
  fi
  objects="$objects $object"
done

n=0
status=0
for name in blocked conv dense gemm separable vector winograd; do
  n=$((n + 1))
  # shellcheck disable=SC2086
  $cc $flags -static "$root/tests/kernels/test-$name.c" $objects -lm -pthread -o "$out/test-$name"
  if qemu-aarch64 "$out/test-$name" >"$out/$name.tap" && grep -q "^ok .*/neon$" "$out/$name.tap"; then
    echo "ok $n kernels-$name, $(grep -c '^ok' "$out/$name.tap") cases at levels c and neon"
  else
    status=1
    echo "not ok $n kernels-$name"
    sed 's/^/# /' "$out/$name.tap"
  fi
done
echo "1..$n"
exit $status
