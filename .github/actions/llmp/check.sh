#!/usr/bin/env bash
# What the action runs: every step is taken, the first that fails decides the end. Its settings come from the environment.
set -uo pipefail
shopt -s nullglob globstar
# Patterns are taken apart on purpose.
# shellcheck disable=SC2206
files=(${FILES:-*.llmp})
[ ${#files[@]} -gt 0 ] || { echo "::error::no program is named by: ${FILES:-*.llmp}"; exit 2; }
frozen=()
[ "${FROZEN:-false}" = true ] && frozen=(--frozen)
status=0
[ "${FORMAT:-true}" = true ] && { llmp fmt --check "${files[@]}" | sed 's/^\(.*\)$/::error file=\1::not in the one layout: run `llmp fmt \1`/'; [ "${PIPESTATUS[0]}" -eq 0 ] || status=1; }
llmp check ${frozen[@]+"${frozen[@]}"} --format github "${files[@]}" || status=1
[ -n "${SARIF:-}" ] && { llmp check ${frozen[@]+"${frozen[@]}"} --format sarif "${files[@]}" >"$SARIF" || status=1; }
[ "${TEST:-false}" = true ] && { llmp test "${files[@]}" || status=1; }
if [ -n "${COMPARE:-}" ]; then
  for file in "${files[@]}"; do
    change=$(llmp diff --rev "$COMPARE" "$file" 2>&1)
    # 1: the plans differ, which is news and no mistake.
    [ $? -le 1 ] && [ -n "$change" ] && printf '### %s\n\n```text\n%s\n```\n' "$file" "$change" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
  done
fi
exit $status
