#!/usr/bin/env bash
# flink_test.sh runs beam/score on Apache Flink with two task managers, one of which is killed in
# the middle and replaced: `make flink-test`. Every row is to come out once, with the score that
# tfrun gives. Flink and Beam's job server come from Maven Central, once, into the cache folder of
# scripts/libtensorflow.sh (220 MB). Needs Java 17, Maven and Python 3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for tool in java mvn python3 curl; do
  command -v "$tool" >/dev/null || { echo "flink: error: $tool is missing" >&2 && exit 1; }
done
readonly cache=${TFRUN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tfrun}/flink/1.19.0 rows=${ROWS:-20000}
work=$(mktemp -d) && work=$(realpath "$work")
export TFRUN_FLINK_TEST=$work # by which leave finds what a killed task manager has left

leave() {
  local own copy
  own=$(grep -slzxF "TFRUN_FLINK_TEST=$work" /proc/[0-9]*/environ | cut -d/ -f3 | grep -vx $$) || :
  # shellcheck disable=SC2086 # numbers
  kill -9 $own 2>/dev/null || :
  [ -z "${KEEP:-}" ] || { echo "flink: logs are in $work" && return; }
  for copy in /tmp/bin*/worker; do # boot's, of the program
    [ ! -e "$copy" ] || ! cmp -s -n "$(stat -c %s "$copy")" "$copy" "$work/score" || rm -rf "${copy%/worker}"
  done
  rm -rf "$work"
}
trap leave EXIT

# artifact GROUP NAME VERSION is a dependency of a pom.
artifact() { echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"; }

# jars NAME POM… fetches what a pom names, with all that it needs. Beam's artifacts ask for others
# in versions that do not fit each other: what manages them stands first in the pom.
jars() {
  [ ! -e "$cache/$1/whole" ] || return 0
  rm -rf "${cache:?}/$1" && mkdir -p "$cache/$1"
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo "<groupId>tfrun</groupId><artifactId>$1</artifactId><version>1</version>${*:2}</project>"
  } >"$cache/$1/pom.xml"
  (cd "$cache/$1" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib)
  touch "$cache/$1/whole"
}

jars flink '<dependencies>' "$(for name in flink-runtime flink-clients flink-streaming-java flink-runtime-web; do artifact org.apache.flink $name 1.19.0; done)" \
  "$(artifact org.slf4j slf4j-simple 1.7.36)" '</dependencies>'
jars jobserver '<dependencyManagement><dependencies>' "$(artifact org.apache.beam beam-runners-java-job-service 2.65.0)" \
  "$(artifact org.apache.beam beam-sdks-java-expansion-service 2.70.0)" "$(artifact org.apache.beam beam-sdks-java-harness 2.70.0)" '</dependencies></dependencyManagement>' \
  '<dependencies>' "$(artifact org.apache.beam beam-runners-flink-1.19 2.70.0)" "$(artifact org.slf4j slf4j-simple 2.0.16)" '</dependencies>'

echo 'flink: building beam/score and the SDK'"'"'s boot program'
${GO:-go} -C beam build -ldflags "-s -w $TFRUN_LDFLAGS" -o "$work/score" ./score
${GO:-go} -C beam build -ldflags '-s -w' -o "$work/boot" github.com/apache/beam/sdks/v2/go/container

printf '#!/bin/sh\nexec "%s" --semi_persist_dir="%s" "$@"\n' "$work/boot" "$work" >"$work/worker.sh" && chmod +x "$work/worker.sh"

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
rest=$(port) rpc=$(port) jobs=$(port)
mkdir "$work/conf"
cat >"$work/conf/flink-conf.yaml" <<CONF
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: $rpc
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: $rest
jobmanager.memory.process.size: 1g
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1
taskmanager.memory.task.heap.size: 256m
taskmanager.memory.task.off-heap.size: 64m
taskmanager.memory.managed.size: 128m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 5
restart-strategy.fixed-delay.delay: 2 s
heartbeat.timeout: 10000
heartbeat.interval: 2000
CONF

opens=()
for package in lang util nio net io time util.concurrent; do opens+=(--add-opens "java.base/java.$package=ALL-UNNAMED"); done

# daemon NAME JARS CLASS ARG… starts a Java program in the working folder, where Beam's workers
# leave a file.
daemon() {
  local name=$1 jars=$2
  shift 2
  (cd "$work" && exec java -Xmx512m "${opens[@]}" -cp "$cache/$jars/lib/*" "$@" >"$work/$name.log" 2>&1) &
  disown
}
task_manager() { daemon "$1" flink org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$work/conf"; }

# until_ok WHAT COMMAND… tries a command for two minutes, and says WHAT where that was of no use.
until_ok() {
  local what=$1
  shift
  for _ in $(seq 240); do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.5
  done
  echo "flink: error: $what" >&2
  tail -n 20 "$work"/*.log >&2
  return 1
}
managers() { curl -sf "http://127.0.0.1:$rest/taskmanagers" | python3 -c "import json, sys; sys.exit(len(json.load(sys.stdin)['taskmanagers']) < 2)"; }
running() { curl -sf "http://127.0.0.1:$rest/jobs" | grep -q RUNNING; }
# A worker has loaded the model once libtensorflow is among what it has mapped.
scoring() {
  local boot worker
  for boot in $(pgrep -f "^$work/boot "); do
    for worker in $(pgrep -P "$boot"); do ! grep -qs libtensorflow "/proc/$worker/maps" || return 0; done
  done
  return 1
}

daemon jobmanager flink org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint --configDir "$work/conf"
task_manager tm1
task_manager tm2
victim=$!
until_ok 'the task managers do not come up' managers
daemon jobserver jobserver org.apache.beam.runners.flink.FlinkJobServerDriver --job-host=127.0.0.1 "--job-port=$jobs" "--artifacts-dir=$work/artifacts" --artifact-port=0 --expansion-port=0 "--flink-master=127.0.0.1:$rest"
until_ok 'the job server does not listen' bash -c "exec 3<>/dev/tcp/127.0.0.1/$jobs"

python3 - "$rows" >"$work/rows.jsonl" <<'PY'
import json, random, sys
random.seed(5)
n = int(sys.argv[1])
for i in range(n):
    print(json.dumps({"id": i, "keras_tensor": [random.randrange(1, 1000) for _ in range(random.randrange(1, 300))]}))
print(json.dumps({"id": n, "keras_tensor": ["a"]}))
PY
model=$PWD/testdata/models/k3_seed/model
bin/tfrun predict "$model" "$work/rows.jsonl" -o "$work/want.jsonl" --keep id --batching exact --skip-bad-rows -q || [ $? = 4 ]

"$work/score" -model "$model" -input "$work/rows.jsonl" -output "$work/got.jsonl" -runner universal -endpoint "127.0.0.1:$jobs" -parallelism 2 \
  -environment_type PROCESS -environment_config "{\"command\": \"$work/worker.sh\"}" -worker_binary "$work/score" >"$work/job.log" 2>&1 &
job=$!
until_ok 'no job runs' running
until_ok 'no worker has loaded the model' scoring
sleep 1
kill -9 "$victim" && echo "flink: task manager $victim is killed"
task_manager tm3
wait "$job" || { tail -n 30 "$work/job.log" "$work/jobserver.log" >&2 && exit 1; }

python3 - "$work" "$rows" <<'PY'
import json, sys
folder, n = sys.argv[1], int(sys.argv[2])
want = {r["id"]: r["output_0"][0] for r in map(json.loads, open(folder + "/want.jsonl")) if "error" not in r}
rows = [json.loads(line) for line in open(folder + "/got.jsonl")]
got = {r["id"]: r["score"] for r in rows}
bad = [json.loads(line) for line in open(folder + "/got.jsonl.bad")]
assert len(rows) == len(got) == n and got.keys() == want.keys(), "%d lines, %d ids, want %d" % (len(rows), len(got), n)
far = max(abs(got[k] - want[k]) for k in got)
assert far < 1e-6, "a score differs by %g" % far
assert [b["id"] for b in bad] == [n] and "keras_tensor" in bad[0]["bad"]["Error"], bad
print("flink: %d rows, each once; scores differ by %g at most; the bad row stands apart" % (n, far))
PY
if grep -q 'tfrunbeam.Predict.* to CANCELED' "$work/jobmanager.log"; then
  echo 'flink: it was scoring when it was killed, and began again'
else
  echo 'flink: the rows had been scored when it was killed: ROWS=40000 makes more of them'
fi
