#!/usr/bin/env bash
# hostile.sh tries every limit, hostile input and fault of docs/hostile.md on bin/tfrun. Its last
# line is
#
#   survived N of N
#
# and the exit status is 0 only if the two numbers are the same and the table is true. UPDATE=1
# rewrites the table. Before that it tries models that hide what may not run wherever a graph can
# hold it, in every way to load them: "escapes 0 of N". ESCAPES=1 tries each of 170,000
# combinations, and not one in 11.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# show leaves of a test's output what it says itself.
show() { sed -En '/^ *(---|[a-z_]+_test.go:|FAIL)/p'; }

TF_CPP_MIN_LOG_LEVEL=3 TFRUN_ESCAPES=${ESCAPES:-11} \
  "${GO:-go}" test ./runner -run '^TestEscape' -count=1 -v -timeout 60m -vet=off -ldflags "${TFRUN_LDFLAGS:-}" | show
escapes=$?

summary=$(mktemp) || exit 1
trap 'rm -f "$summary"' EXIT
TFRUN_HOSTILE=$PWD/bin/tfrun TFRUN_HOSTILE_SUMMARY=$summary \
  "${GO:-go}" test ./cmd/tfrun -run '^TestHostile$|^TestHostileTable$' -count=1 -v -timeout 30m ${UPDATE:+-update} -vet=off \
  -ldflags "${TFRUN_LDFLAGS:-}" | show
status=$?
[ -s "$summary" ] || echo 'survived 0 of 1' >"$summary" # it did not even begin
cat "$summary"
[ $escapes -eq 0 ] && exit $status
exit $escapes
