#!/usr/bin/env bash
# Bundles the page's script with packages of the npm registry, as package-lock.json names them; needs node 20 and npm.
# `build.sh` writes page/editor.js; `build.sh --check` says whether the committed one is what these sources give.
set -euo pipefail
cd "$(dirname "$0")"
build=${PLAYGROUND_WORK:-$(mktemp -d)}
mkdir -p "$build"
cp -r package.json package-lock.json src "$build"
cd "$build"
# A folder that is used again (PLAYGROUND_WORK) is filled anew when the packages are others.
cmp -s package-lock.json node_modules/.made || { npm ci --no-audit --no-fund --silent && cp package-lock.json node_modules/.made; }
npx --no-install esbuild src/main.js --bundle --format=esm --target=es2022 --minify --legal-comments=none --log-level=warning --outfile=editor.js
{
  echo "// Made by build.sh from src/ and the packages of package-lock.json; their licenses are in LICENSES.txt."
  cat editor.js
} > bundle.js
# What is bundled, with the words of each license.
node "$OLDPWD/licenses.mjs" > LICENSES.txt
if [ "${1:-}" = --check ]; then
  cmp bundle.js "$OLDPWD/page/editor.js" && cmp LICENSES.txt "$OLDPWD/page/LICENSES.txt"
else
  cp bundle.js "$OLDPWD/page/editor.js"
  cp LICENSES.txt "$OLDPWD/page/LICENSES.txt"
fi
