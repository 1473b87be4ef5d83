#!/usr/bin/env bash
# spark_test.sh runs integrations/python on a standalone cluster of Spark, which it gets from PyPI
# into the cache folder of scripts/libtensorflow.sh, once: `make spark-test`. With the word bench it
# measures instead, `make scale-bench`, for which PYTHON has TensorFlow, pyarrow and pandas.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v java >/dev/null || { echo 'spark: error: Java is missing: install a JRE of version 17' >&2 && exit 1; }
cache=${TFRUN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tfrun}
python=${PYTHON:-python3} spark=$cache/spark/4.0.1
export SPARK_LOCAL_IP=127.0.0.1

# get FOLDER PACKAGE… installs packages from PyPI into a folder, once.
get() {
  [ ! -e "$1/whole" ] || return 0
  rm -rf "$1"
  "$python" -m pip install -q --target "$1" "${@:2}"
  touch "$1/whole"
}

get "$spark" pyspark==4.0.1
export PYTHONPATH=$spark${PYTHONPATH:+:$PYTHONPATH}
if [ "${1:-}" = bench ]; then
  "$python" integrations/python/tests/scale_bench.py "$PWD/bin/tfrun" "${ROUNDS:-5}"
  cd beam
  TFRUN_SPEED=${ROUNDS:-5} ${GO:-go} test -count=1 -timeout 2h -vet=off -ldflags "$TFRUN_LDFLAGS" ./score -run TestSpeed -v 2>/dev/null | grep '^|'
  exit
fi
if ! "$python" -c 'import pyarrow, pandas' 2>/dev/null; then
  get "$cache/spark/pyarrow" pyarrow pandas
  export PYTHONPATH=$PYTHONPATH:$cache/spark/pyarrow
fi
get "$cache/spark/moto" 'moto[server]==5.2.5'
export PYTHONPATH=$PYTHONPATH:$cache/spark/moto
exec "$python" integrations/python/tests/spark_test.py "$PWD/bin/tfrun" "$PWD/testdata/models/k3_compiled/model"
