#!/bin/sh
# What lz4 compresses comes back as it was, and is smaller.
set -e
work=$(mktemp -d)
seq 200000 >"$work/numbers"
lz4 -q "$work/numbers" "$work/numbers.lz4"
lz4 -q -d "$work/numbers.lz4" - | cmp - "$work/numbers"
[ "$(wc -c <"$work/numbers.lz4")" -lt "$(wc -c <"$work/numbers")" ]
rm -r "$work"
echo "lz4 works"
