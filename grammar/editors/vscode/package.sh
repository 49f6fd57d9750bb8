#!/usr/bin/env bash
# Makes llmp.vsix with packages of the npm registry. Needs node 20 and npm.
set -euo pipefail
cd "$(dirname "$0")"
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cp -r package.json language-configuration.json syntaxes src README.md .vscodeignore "$build"
cp ../../../LICENSE-MIT "$build/LICENSE"
out=${1:-$PWD/llmp.vsix}
cd "$build"
npm install --no-audit --no-fund --silent
npm run --silent bundle
npx --no-install vsce package --no-dependencies --allow-missing-repository --skip-license --out "$out" >&2
echo "$out"
