#!/usr/bin/env bash
# fuzz.sh runs every fuzz target of the repository, or those of which `package Name` matches FUZZ (a
# regular expression), FUZZTIME (30s) each, FUZZ_JOBS (2) at a time with one worker each. A line for
# each target says what it did:
#
#   ok   ./dataset/csv FuzzRows: 51234 executions, 12 new interesting inputs, 140 in the corpus
#
# and the last line is
#
#   fuzzed N of N targets without a failure
#
# with an exit status of 0 only if the two numbers are the same. What a target finds interesting is
# kept in FUZZ_CORPUS (Go's own place, $(go env GOCACHE)/fuzz), where the next run begins. An input
# that breaks a target is kept in the testdata/fuzz of its package, where `go test` tries it from
# then on. `make fuzz` runs it, with cgo's variables set.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

readonly go=${GO:-go}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
corpus=${FUZZ_CORPUS:-$("$go" env GOCACHE)/fuzz} module=$("$go" list -m) || exit 1
mkdir -p "$corpus" && corpus=$(cd "$corpus" && pwd) || exit 1
export work corpus module time=${FUZZTIME:-30s}

# build makes the test binary of a package, once for all its targets, with the counters that lead
# the search: what go test -fuzz does for each.
build() { "$go" test -c -fuzz . -vet=off -ldflags "${TFRUN_LDFLAGS:-}" -o "$work/$1/fuzz.test" "./$1"; }

# fuzz runs one target. One that does not end is stopped two minutes after its time. Left alone, Go
# spends up to a minute on making the first interesting input smaller: of 30 s nothing was left, and
# a target came to five executions. A hundred tries for each are enough. A target that says "context
# deadline exceeded" and nothing else broke nothing: its time was over, and Go 1.26 took that for a
# failure now and then (golang/go#75804).
fuzz() {
  local out limit=0
  [[ ! $time =~ ^([0-9]+)s$ ]] || limit=$((BASH_REMATCH[1] + 120))
  if out=$(cd "$1" && timeout --foreground -s INT -k 20 "$limit" "$work/$1/fuzz.test" -test.run '^$' -test.fuzz "^$2\$" \
    -test.fuzztime "$time" -test.fuzzminimizetime 100x -test.parallel 1 -test.fuzzcachedir "$corpus/$module/$1" 2>&1) ||
    [[ $out == *$'s)\n    context deadline exceeded\nFAIL' && $out != *'Failing input'* ]]; then
    echo >>"$work/good"
    sed -En '/ execs: /h; ${g;s|.*execs: ([0-9]+).*interesting: ([0-9]+) .total: ([0-9]+).*|\1 executions, \2 new interesting inputs, \3 in the corpus|;s|^|ok   ./'"$1 $2"': |p}' <<<"$out"
  else
    printf 'FAIL ./%s %s\n%s\n' "$1" "$2" "$out"
  fi
}
export -f fuzz

# Of the targets that the files name, a build tag may leave some out: the binary knows.
grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' cmd dataset internal runner savedmodel tensor |
  sed -E 's|/[^/:]*:func | |' | sort -u | grep -E "${FUZZ:-.}" >"$work/named"
cut -d ' ' -f 1 "$work/named" | uniq | while read -r package; do
  if build "$package"; then
    "$work/$package/fuzz.test" -test.list '^Fuzz' | sed "s|^|$package |" | grep -xFf "$work/named"
  else
    echo "$package (does not build)"
  fi
done >"$work/targets"

grep -v '(does not build)$' "$work/targets" | xargs -P "${FUZZ_JOBS:-2}" -L 1 bash -c 'fuzz "$@"' fuzz
count=$(wc -l <"$work/targets") good=$(cat "$work/good" 2>/dev/null | wc -l)
printf 'fuzzed %d of %d targets without a failure\n' "$good" "$count"
[ "$good" = "$count" ] && [ "$count" -gt 0 ]
