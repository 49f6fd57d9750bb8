#!/usr/bin/env bash
# Makes the pictures of the guide from what the program shows today: the playground in Chromium, `llmp check` in a terminal.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
export LLMP=${LLMP:-$root/target/debug/llmp}
python3 terminal.py "$LLMP" check.svg
SHOT=$PWD/playground.png "$root/tests/lsp/run" playground
