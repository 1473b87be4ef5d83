#!/usr/bin/env bash
# test.sh runs every check of the project; all of them run even when one fails. Its last lines are
#
#   FAILED: …        for each check that failed
#   NOT CHECKED: …   for what could not be looked up: neither passed nor failed
#   N passed, N failed[, N skipped]
#
# over all test runs together; a check that fails and is no test counts as one failed. The exit
# status is 0 only if nothing failed. It does the set-up it needs; `make test` runs it.
#
# With TF=2.20.0, a libtensorflow that is not the pinned one, it runs what depends on the library:
# the build, and the tests of runner and cmd/tfrun.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

readonly go=${GO:-go}
readonly pure=(./tensor/... ./internal/... ./savedmodel/... ./dataset/...) # packages that must do without cgo
tools=$PWD/bin/tools
counts=$(mktemp) && said=$(mktemp) || exit 1
trap 'rm -f "$counts" "$said"' EXIT
trap 'exit 130' INT
broken=()
not_checked=()

# check runs a check and remembers its name if it fails.
check() {
  local name=$1 start=$SECONDS unchecked=${#not_checked[@]} outcome=ok
  shift
  printf '\n== %s\n' "$name"
  if "$@"; then
    [ ${#not_checked[@]} = "$unchecked" ] || outcome='NOT CHECKED'
    printf '== %s: %s, %d s\n' "$name" "$outcome" $((SECONDS - start))
  else
    printf '== %s: FAILED, %d s\n' "$name" $((SECONDS - start))
    broken+=("$name")
    return 1
  fi
}

# other is check for what testsum does not count.
other() { check "$@" || echo 0 1 0 >>"$counts"; }

# tests runs go test under testsum.
tests() { check "$1" "$tools/testsum" "$counts" -vet=off -ldflags "$TFRUN_LDFLAGS" "${@:2}"; }

# vulnerabilities runs govulncheck. What could not be looked up has not passed: it is said before
# the last line.
vulnerabilities() {
  local line
  scripts/vuln.sh 2>&1 | tee "$said" || return 1
  line=$(tail -n 1 "$said")
  case $line in *'NOT CHECKED'*) not_checked+=("$line") ;; esac
}

# install_tools fills bin/tools. Built without cgo, the tools need no TensorFlow.
install_tools() {
  local tool
  for tool in ./scripts/testsum mvdan.cc/gofumpt@v0.12.0 honnef.co/go/tools/cmd/staticcheck@v0.8.2; do
    GOBIN=$tools CGO_ENABLED=0 "$go" install "$tool" || return 1
  done
}

formatted() {
  local files
  files=$("$tools/gofumpt" -l .) || return 1
  [ -z "$files" ] || printf 'not formatted, run gofumpt -w on:\n%s\n' "$files"
  [ -z "$files" ]
}

# impure are the packages that are not in pure.
impure() { "$go" list ./... | grep -vxFf <("$go" list "${pure[@]}"); }

# Python and C have no races that Go's detector can see: scripts/ is left out.
race_packages() { "$go" list ./... | grep -v /scripts; }

# pinned prints the version of libtensorflow that the project is developed with.
pinned() { sed -En 's/.*version=\$\{TF:-([0-9.]+)\}$/\1/p' scripts/libtensorflow.sh; }

# beam checks the module for Apache Beam, its pipelines on Prism.
beam() {
  pushd beam >/dev/null || exit
  other 'go mod tidy of beam' "$go" mod tidy -diff
  other 'go vet of beam' "$go" vet ./...
  tests 'go test of beam' ./...
  popd >/dev/null || exit
}

# everything is what does not need doing for another version.
everything() {
  other 'gofumpt' formatted
  other 'go mod tidy' "$go" mod tidy -diff
  other 'go vet' "$go" vet ./...
  other 'staticcheck' "$tools/staticcheck" ./...
  other 'go build without cgo' env CGO_ENABLED=0 "$go" build ./...
  mapfile -t packages < <(impure)
  tests 'go test' "${packages[@]}"
  CGO_ENABLED=0 tests 'go test without cgo' "${pure[@]}" # with cgo they run under -race
  other 'govulncheck' vulnerabilities
  mapfile -t packages < <(race_packages)
  tests 'go test -race' -race -short "${packages[@]}"
  beam
  other 'every fuzz target for 6 s' env FUZZ= FUZZTIME=6s scripts/fuzz.sh
}

# set_up gets libtensorflow and puts cgo's variables into the environment.
set_up() {
  local vars
  scripts/libtensorflow.sh go && vars=$(scripts/libtensorflow.sh build) && eval "$vars"
}

if ! check 'set-up' set_up; then
  echo '0 passed, 1 failed' # nothing else can run
  exit 1
fi
other 'make build' make --no-print-directory build
other 'install testsum, gofumpt and staticcheck' install_tools
if [ "${TF:-$(pinned)}" != "$(pinned)" ]; then
  tests "go test on TensorFlow $TF" ./runner/... ./cmd/tfrun/...
else
  everything
fi

printf '\n'
for name in "${broken[@]}"; do
  printf 'FAILED: %s\n' "$name"
done
for line in "${not_checked[@]}"; do
  printf 'NOT CHECKED: %s\n' "${line#vuln: NOT CHECKED: }"
done
awk '{ p += $1; f += $2; s += $3 }
  END { printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit f > 0 }' "$counts" && [ ${#broken[@]} = 0 ]
