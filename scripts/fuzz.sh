#!/usr/bin/env bash
# fuzz.sh runs the repository's fuzz targets one after another, FUZZTIME (30s) each. FUZZ_COUNT=4 runs four of them only, others each day of the year, so that a
# week or so goes over all. An input that breaks a target is kept in the testdata/fuzz of its package, where `go test` tries it from then on. The last line is
#
#   fuzzed N of N targets without a failure
#
# and the exit status is 0 only if the two numbers are the same. `make fuzz` runs it, with cgo's variables set.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

readonly go=${GO:-go} time=${FUZZTIME:-30s}
flags=(-vet=off -ldflags "${TFRUN_LDFLAGS:-}")

# go test -list names the targets of a package, then the package.
list=$("$go" test "${flags[@]}" -list '^Fuzz' ./... | awk '/^Fuzz/ { names[++n] = $1 } /^ok/ { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }') || exit 1
mapfile -t targets <<<"$list"
count=${FUZZ_COUNT:-${#targets[@]}}
first=$((10#$(date -u +%j) * count))

good=0
for ((i = 0; i < count; i++)); do
  read -r package name <<<"${targets[(first + i) % ${#targets[@]}]}"
  printf '%s %s\n' "$package" "$name"
  if out=$("$go" test "${flags[@]}" "$package" -run '^$' -fuzz "^$name\$" -fuzztime "$time" -parallel "${FUZZ_PARALLEL:-2}" 2>&1); then
    good=$((good + 1))
    grep '^fuzz: elapsed' <<<"$out" | tail -1
  else
    printf '%s\n' "$out"
  fi
done
printf 'fuzzed %d of %d targets without a failure\n' "$good" "$count"
[ "$good" = "$count" ] && [ "$count" -gt 0 ]
