#!/usr/bin/env bash
# hostile.sh tries every limit, hostile input and fault of SECURITY.md's table on bin/tfrun. Its last line is
#
#   survived N of N
#
# and the exit status is 0 only if the two numbers are the same and the table is true. UPDATE=1 rewrites the table.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

summary=$(mktemp) || exit 1
trap 'rm -f "$summary"' EXIT
TFRUN_HOSTILE=$PWD/bin/tfrun TFRUN_HOSTILE_SUMMARY=$summary \
  "${GO:-go}" test ./cmd/tfrun -run '^TestHostile$|^TestHostileTable$' -count=1 -v -timeout 30m ${UPDATE:+-update} -vet=off \
  -ldflags "${TFRUN_LDFLAGS:-}" | sed -En '/^ *(---|[a-z_]+_test.go:|FAIL)/p'
status=$?
[ -s "$summary" ] || echo 'survived 0 of 1' >"$summary" # it did not even begin
cat "$summary"
exit $status
