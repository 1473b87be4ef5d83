#!/usr/bin/env bash
# spark_test.sh runs integrations/python on a standalone cluster of Spark, which it gets from PyPI: a virtual environment in the cache folder of
# scripts/libtensorflow.sh, made once. Java 17 has to be there. `make spark-test` runs it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v java >/dev/null || { echo 'spark-test: error: Java is missing: install a JRE of version 17' >&2 && exit 1; }
cache=${TFRUN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tfrun}
python=${PYTHON:-python3} venv=$cache/spark/4.0.1
if [ ! -e "$venv/whole" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install -q pyspark==4.0.1 pyarrow pandas
  touch "$venv/whole"
fi
SPARK_LOCAL_IP=127.0.0.1 "$venv/bin/python" integrations/python/tests/spark_test.py "$PWD/bin/tfrun" "$PWD/testdata/models/k3_compiled/model"
