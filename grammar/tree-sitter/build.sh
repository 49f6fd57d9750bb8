#!/usr/bin/env bash
# Makes src/parser.c (350 KB, so it is made and not kept) with tree-sitter 0.27, and a library for editors:
# `build.sh` writes it to target/tree-sitter/llmp.so, `build.sh FILE` to FILE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(cd "$here/../.." && pwd)/target/tree-sitter
mkdir -p "$work"
generator=${TREE_SITTER:-$(command -v tree-sitter || true)}
if [ -z "$generator" ]; then
  generator=$work/bin/tree-sitter
  # From the crate registry; without the script engine, because node reads grammar.js.
  [ -x "$generator" ] || CARGO_TARGET_DIR=$work/build cargo install -q --locked --debug --no-default-features --root "$work" tree-sitter-cli@0.27.1
fi
cd "$here"
"$generator" generate
cc -O2 -fPIC -shared -Isrc src/parser.c src/scanner.c -o "${1:-$work/llmp.so}"
