#!/usr/bin/env bash
# Reads valid/ and invalid/ of a folder (`fuzz verdicts FOLDER`): the first must be read without ERROR, the second not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(cd "$here/../.." && pwd)/target/tree-sitter
generator=${TREE_SITTER:-$(command -v tree-sitter || echo "$work/bin/tree-sitter")}
folder=$(cd "$1" && pwd)
export XDG_CACHE_HOME=$work/cache XDG_CONFIG_HOME=$work/config
cd "$here"
# The files that are not read, one a line.
broken() {
  find "$folder/$1" -name '*.llmp' | sort >"$folder/$1.paths"
  { "$generator" parse --quiet --paths "$folder/$1.paths" 2>/dev/null || true; } | sed -n 's/^\(.*\.llmp\).*(\(ERROR\|MISSING\).*/\1/p' | sed 's/[[:space:]]*$//' | sort
}
broken valid >"$folder/refused"
broken invalid | comm -13 - "$folder/invalid.paths" >"$folder/taken"
echo "$(wc -l <"$folder/valid.paths") programs, $(wc -l <"$folder/invalid.paths") broken ones: $(wc -l <"$folder/refused") refused, $(wc -l <"$folder/taken") taken"
cat "$folder/refused" "$folder/taken"
[ ! -s "$folder/refused" ] && [ ! -s "$folder/taken" ]
