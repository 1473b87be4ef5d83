#!/usr/bin/env bash
# Compares what is read from other projects' files with what referees said of them: `make corpora`.
#
# TFRUN_CORPORA names a folder that holds copies of their test data (apache/parquet-testing as
# parquet-testing, apache/arrow-testing as arrow-testing, JSONTestSuite, csv-spectrum, numpy,
# polars). It prints what was not right, with the reason, then
#
#   CORPUS: right R, refused F, wrong W, crashed C of N
#
# and fails where a value is wrong or a file crashes. scripts/corpora/record.py records what the
# referee says.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
[ -n "${TFRUN_CORPORA:-}" ] || { echo "TFRUN_CORPORA names no folder of other projects' files" >&2; exit 2; }
CGO_ENABLED=0 "${GO:-go}" test ./dataset -run '^TestCorpora$' -count=1 -v | sed -En 's/^ *[a-z_]+_test.go:[0-9]+: //p; /^(panic|FAIL)/p'
