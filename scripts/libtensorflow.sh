#!/usr/bin/env bash
# libtensorflow.sh gets libtensorflow, checks it, and lays it out for cgo.
#
#   scripts/libtensorflow.sh [get]    make it ready; a second run is instant and says one line
#   scripts/libtensorflow.sh env      the same, then print the export lines that cgo needs
#   scripts/libtensorflow.sh build    the same, then print the export lines for building tfrun
#                                     itself, which opens the library when a model is loaded
#                                     (internal/cgoenv) instead of being linked with it
#   scripts/libtensorflow.sh prefix   the same, then print the folder that holds lib/ and include/
#   scripts/libtensorflow.sh go       only check that Go is there
#
# `tfrun lib` fetches it out of a Python wheel, checks it and lays it out (internal/getlib); this
# script builds tfrun for that, without cgo, where the library is not there yet, tries the result
# with a C program, and makes what a clone needs beside it. The cache is one for all clones and
# programs: the library is 850 MB unpacked, and 540 MB more in a copy that opens faster. The clone
# gets a link, third_party/tensorflow/<variant>-<version>, to the folder with lib/, include/ and
# licenses/. Deleting the cache or third_party is always safe: the next run makes whatever is
# missing.
#
# Variables:
#   VARIANT=cpu|gpu            which build (cpu); the GPU build finds CUDA's libraries at run time
#   TF=2.21.0                  which version, 2.15.0 or later
#   TFRUN_LIBTENSORFLOW=DIR    use this libtensorflow and download nothing: a folder with lib/ and
#                              include/ (/usr/local, an unpacked tarball) or a Python
#                              package folder (…/site-packages/tensorflow)
#   TFRUN_CACHE=DIR            the cache folder (${XDG_CACHE_HOME:-~/.cache}/tfrun; in the clone
#                              under third_party/.cache where that cannot be written)
#   TFRUN_WHEEL=FILE           take this wheel instead of downloading one (no network needed)
#   TFRUN_SHA256=HEX           the wheel's sha256, instead of the pinned one: for a build of one's
#                              own
#   TFRUN_COMMAND=FILE         a tfrun that is built already
#   CC                         the C compiler to use (gcc)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root variant=${VARIANT:-cpu} version=${TF:-2.21.0}
work='' # temporary folder of this run, removed at exit
told='' # set once the cause of a failure was said

say() { printf 'libtensorflow: %s\n' "$*" >&2; }
die() {
  say "error: $*"
  told=yes
  exit 1
}

# leave cleans up; it is run at every exit.
leave() {
  local status=$?
  [ -z "$work" ] || rm -rf "$work"
  case $status in
    0 | 130 | 143) ;;
    *) [ -n "$told" ] || say "error: stopped with status $status: run it again, or see why with: bash -x scripts/libtensorflow.sh" ;;
  esac
}

# install_hint prints how to install the named package on this system.
# Arguments: names on Debian, Fedora, Alpine/Arch alike.
install_hint() {
  local as=''
  [ "$(id -u)" = 0 ] || as='sudo '
  if command -v apt-get >/dev/null; then
    echo "${as}apt-get install $1"
  elif command -v dnf >/dev/null; then
    echo "${as}dnf install $2"
  else
    echo "install $1 with your package manager"
  fi
}

# ---- prerequisites: each that is missing is one line --------------------------

need_go() {
  command -v "${GO:-go}" >/dev/null ||
    die 'Go is missing: install Go 1.26 or later (https://go.dev/doc/install) and put its bin folder on PATH'
  local out
  out=$(cd "$root" && "${GO:-go}" list -m 2>&1) ||
    die "Go does not accept this project: install Go 1.26 or later (https://go.dev/doc/install): ${out##*$'\n'}"
}

need_compiler() {
  local cc=${CC:-gcc}
  command -v "${cc%% *}" >/dev/null ||
    die "a C compiler (${cc%% *}) is missing: $(install_hint 'gcc libc6-dev' 'gcc glibc-devel')"
}

# ---- steps --------------------------------------------------------------------

# choose_cache sets cache to a folder that can be written.
choose_cache() {
  cache=${TFRUN_CACHE:-${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}}
  [ -n "${TFRUN_CACHE:-}" ] || cache=${cache:+$cache/tfrun}
  if [ -z "$cache" ] || ! mkdir -p "$cache" 2>/dev/null || ! [ -w "$cache" ]; then
    [ -z "${TFRUN_CACHE:-}" ] || die "cannot write to TFRUN_CACHE=$TFRUN_CACHE"
    cache=$root/third_party/.cache
    mkdir -p "$cache" || die "cannot write to $cache: name a folder with TFRUN_CACHE"
  fi
  cache=$(cd "$cache" && pwd -P)
}

# try_library compiles, links and runs a C program against a library and prints TF_Version.
# Arguments: lib folder, include folder, scratch folder.
try_library() {
  local lib=$1 include=$2 scratch=$3 framework=''
  [ ! -e "$lib/libtensorflow_framework.so" ] || framework=-ltensorflow_framework
  cat >"$scratch/check.c" <<'C'
#include <stdio.h>
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"
int main(void) { return puts(TF_Version()) < 0; }
C
  # CC may hold arguments, and framework may be empty: both are split on purpose.
  # shellcheck disable=SC2086
  LC_ALL=C ${CC:-gcc} -o "$scratch/check" -I"$include" "$scratch/check.c" -L"$lib" "-Wl,-rpath,$lib" \
    -ltensorflow $framework 2>"$scratch/check.log" &&
    TF_CPP_MIN_LOG_LEVEL=3 "$scratch/check" 2>>"$scratch/check.log"
}

# why prints the line of a compiler's or loader's log that names the cause.
why() { grep -m1 -E 'error|cannot|not found|undefined' "$1" || tail -n1 "$1"; }

# whole says whether a prepared folder is complete: its stamp fits its files, and its links work.
# The stamp holds: wheel sha256, TF_Version, sizes of the two libraries.
whole() {
  local dir=$1 want=$2 sha sizes
  [ -f "$dir/stamp" ] && [ -f "$dir/include/tensorflow/c/c_api.h" ] || return 1
  { read -r sha _ && read -r sizes; } <"$dir/stamp" || return 1
  [ -z "$want" ] || [ "$sha" = "$want" ] || return 1
  [ "$(sizes "$dir/lib")" = "$sizes" ]
}

sizes() { stat -L -c %s "$1/libtensorflow.so" "$1/libtensorflow_framework.so" 2>/dev/null | paste -sd' '; }

# point makes the link named $2 lead to $1, by one rename, unless it already does.
point() {
  [ "$(readlink "$2" 2>/dev/null)" != "$1" ] || return 0
  [ -L "$2" ] || [ ! -e "$2" ] || die "$2 is in the way: remove it"
  mkdir -p "${2%/*}"
  ln -sfn "$1" "$2.$$"
  mv -fT "$2.$$" "$2"
}

# make_library has tfrun lib put the library into the cache folder, and tries it.
make_library() {
  local dest=$1 tfrun=${TFRUN_COMMAND:-} status=0 found=''
  need_compiler
  work=$(mktemp -d)
  if [ -z "$tfrun" ]; then
    need_go
    tfrun=$work/tfrun
    (cd "$root" && GOOS='' GOARCH='' CGO_ENABLED=0 "${GO:-go}" build -o "$tfrun" ./cmd/tfrun) || die 'building tfrun failed: see the message above'
  fi
  "$tfrun" lib --variant "$variant" --version "$version" --cache "$cache" ${TFRUN_WHEEL:+--wheel "$TFRUN_WHEEL"} \
    ${TFRUN_SHA256:+--sha256 "$TFRUN_SHA256"} >"$work/made" || status=$?
  case $status in
    0) ;;
    130) exit 130 ;;
    *) told=yes && exit 1 ;;
  esac
  [ "$(cat "$work/made")" = "$dest" ] || die "tfrun lib made $(cat "$work/made"), want $dest"
  if ! found=$(try_library "$dest/lib" "$dest/include" "$work") || [ "$found" != "$version" ]; then
    rm -f "$dest/stamp" # so that the next run makes it again
    [ -n "$found" ] || die "the library in $dest does not work here: $(why "$work/check.log")"
    die "the library in $dest says it is TensorFlow $found, want $version"
  fi
}

# from_wheel sets lib and include to the library made from a wheel.
from_wheel() {
  local dest
  choose_cache
  dest=$cache/libtensorflow/linux-$(uname -m)/$variant-$version
  whole "$dest" "${TFRUN_SHA256:-}" || make_library "$dest"
  point "$dest" "$root/third_party/tensorflow/$variant-$version"
  lib=$dest/lib include=$dest/include
  ready "TensorFlow $version ($variant) in third_party/tensorflow/$variant-$version"
}

# existing sets lib and include to those of TFRUN_LIBTENSORFLOW, once they were seen to work.
existing() {
  local dir key view stamp found
  [ "$(uname -s)" = Linux ] || die "$(uname -s) is not supported: use Linux, for instance in a container"
  dir=$(cd "$TFRUN_LIBTENSORFLOW" 2>/dev/null && pwd) ||
    die "TFRUN_LIBTENSORFLOW=$TFRUN_LIBTENSORFLOW is no folder"
  include=$dir/include lib=''
  for lib in "$dir/lib" "$dir/lib64" "$dir" ''; do
    [ ! -e "$lib/libtensorflow.so" ] && [ ! -e "$lib/libtensorflow_cc.so.2" ] || break
  done
  [ -n "$lib" ] || die "TFRUN_LIBTENSORFLOW=$dir holds no lib/libtensorflow.so"
  [ -f "$include/tensorflow/c/c_api.h" ] ||
    die "TFRUN_LIBTENSORFLOW=$dir holds no include/tensorflow/c/c_api.h"
  need_compiler
  key=$(cksum <<<"$dir" | cut -d' ' -f1)
  view=$root/third_party/tensorflow/existing-$key
  mkdir -p "$view"
  if [ ! -e "$lib/libtensorflow.so" ]; then # a Python package: give the linker the names it looks for
    point "$lib/libtensorflow_cc.so.2" "$view/libtensorflow_cc.so.2"
    point "$lib/libtensorflow_framework.so.2" "$view/libtensorflow_framework.so.2"
    point libtensorflow_cc.so.2 "$view/libtensorflow.so"
    point libtensorflow_framework.so.2 "$view/libtensorflow_framework.so"
    lib=$view
  fi
  stamp=$(stat -L -c '%n %s %Y' "$lib/libtensorflow.so" "$include/tensorflow/c/c_api.h")
  if [ "$(head -n2 "$view/stamp" 2>/dev/null)" != "$stamp" ]; then
    work=$(mktemp -d "$view/run.XXXXXX")
    found=$(try_library "$lib" "$include" "$work") ||
      die "the libtensorflow in $dir does not work: $(why "$work/check.log")"
    printf '%s\n%s\n' "$stamp" "$found" >"$work/stamp" && mv "$work/stamp" "$view/stamp"
  fi
  ready "TensorFlow $(tail -n1 "$view/stamp") in $dir (TFRUN_LIBTENSORFLOW)"
}

# ready says what there is now, except where a caller wants only an answer and nothing was done.
ready() { [ "$command" != get ] && [ -z "$work" ] || say "ready: $*"; }

# print_env prints the variables cgo needs; evaluating the lines twice changes nothing.
print_env() {
  local cflags=${CGO_CFLAGS:--g -O2} ldflags=${CGO_LDFLAGS:-} add_c add_ld
  add_c="'-I$include'"
  # As needed: a program that uses cgo but not TensorFlow stays free of it.
  add_ld="'-L$lib' '-Wl,-rpath,$lib' -Wl,--as-needed"
  [ ! -e "$lib/libtensorflow_framework.so" ] || add_ld+=' -ltensorflow_framework'
  [[ $cflags == *"$add_c"* ]] || cflags+=" $add_c"
  [[ $ldflags == *"$add_ld"* ]] || ldflags+="${ldflags:+ }$add_ld"
  print_exports "$cflags" "$ldflags"
}

# quoted writes a text so that any shell reads it as it is.
quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# print_exports prints cgo's variables, for eval: paths in them are text and nothing that a shell
# would run.
print_exports() {
  printf 'export CGO_ENABLED=1\nexport CGO_CFLAGS=%s\nexport CGO_LDFLAGS=%s\n' "$(quoted "$1")" "$(quoted "$2")"
}

# build_shim sets cgo to a folder with the headers and the stand-in that the linker finds as
# -ltensorflow, made once for all clones that have the same; `tfrun env` lays out the same for other
# modules.
build_shim() {
  local src=$root/internal/cgoenv temp sum
  choose_cache
  sum=$(cd "$src" && find include shim -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16)
  cgo=$cache/shim/$(uname -m)-$sum
  [ ! -e "$cgo/lib/libtensorflow.a" ] || return 0
  mkdir -p "$cache/shim"
  temp=$(mktemp -d "$cache/shim/run.XXXXXX")
  mkdir "$temp/lib"
  cp -R "$src/include" "$temp"
  "${CC:-gcc}" -O2 -fPIC -c "$src/shim/shim.c" -o "$temp/lib/shim.o" && ar rcs "$temp/lib/libtensorflow.a" "$temp/lib/shim.o" ||
    { rm -rf "$temp"; die "compiling internal/cgoenv/shim/shim.c failed"; }
  chmod 755 "$temp"
  # Of two runs at once one makes the folder, and both have built the same.
  mv -T "$temp" "$cgo" 2>/dev/null || rm -rf "$temp"
}

# fast_library makes a second copy of the library, once for all clones, that a process opens in 0.07
# s instead of 0.18: docker/slim.py leaves out the names and the relocations that only programs
# linked with TensorFlow's C++ need. It takes some seconds and 540 MB; tfrun uses it, what env
# prints does not. Where it cannot be made tfrun opens the library itself. The GPU build is left
# alone: it finds CUDA's libraries by its own paths.
fast_library() {
  fast=''
  [ -z "${TFRUN_LIBTENSORFLOW:-}" ] && [ "$variant" = cpu ] && [ -f "$root/docker/libraries.py" ] || return 0
  local dest=${lib%/lib} temp name python=${PYTHON:-python3}
  fast=$dest/fast-$(cat "$root/docker/slim.py" "$dest/stamp" | sha256sum | cut -c1-16)
  [ ! -e "$fast/libtensorflow_cc.so.2" ] || return 0
  command -v "$python" >/dev/null && temp=$(mktemp -d "$dest/run.XXXXXX" 2>/dev/null) || { fast='' && return 0; }
  mkdir "$temp/lib"
  for name in cc framework; do
    ln -s "$lib/libtensorflow_$name.so.2" "$temp/lib/libtensorflow_$name.so.2"
  done
  ln -s libtensorflow_cc.so.2 "$temp/lib/libtensorflow.so"
  ln -s libtensorflow_framework.so.2 "$temp/lib/libtensorflow_framework.so"
  say 'making a copy of the library that opens faster'
  if PYTHONDONTWRITEBYTECODE=1 "$python" -c 'import sys; sys.path.insert(0, sys.argv[1]); import libraries; libraries.slim(sys.argv[2], "/", False)' \
    "$root/docker" "$temp" >"$temp/log" 2>&1 && try_library "$temp/lib" "$include" "$temp" >>"$temp/log"; then
    chmod 755 "$temp/lib"
    rm -rf "$dest"/fast-* # of another slim.py
    mv -T "$temp/lib" "$fast" 2>/dev/null || true # of two runs at once both have made the same
  else
    say "that failed, so tfrun opens the library itself: $(sed -n 's/^slim: error: [^ ]*: //p' "$temp/log" | grep . || tail -n1 "$temp/log")"
    fast=''
  fi
  rm -rf "$temp"
}

# print_build_env prints what building tfrun needs: cgo's variables, and where the library is for
# the libraryDir of runner/internal/tf.
print_build_env() {
  # Not beside what print_env gives: the program would be linked with the library after all.
  CGO_LDFLAGS=$(sed -E "s|'-L[^']*' '-Wl,-rpath,[^']*' -Wl,--as-needed( -ltensorflow_framework)?||" <<<"${CGO_LDFLAGS:-}")
  local cflags=${CGO_CFLAGS:--g -O2} ldflags=${CGO_LDFLAGS:-} add_c="'-I$cgo/include'" add_ld="'-L$cgo/lib' -ldl"
  [[ $cflags == *"$add_c"* ]] || cflags+=" $add_c"
  [[ $ldflags == *"$add_ld"* ]] || ldflags+="${ldflags:+ }$add_ld"
  print_exports "$cflags" "$ldflags"
  printf 'export TFRUN_LDFLAGS=%s\n' "$(quoted "-X 'github.com/tfrun/tfrun/runner/internal/tf.libraryDir=${fast:+$fast:}$lib'")"
}

main() {
  trap leave EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  command=${1:-get}
  case $command in
    get | env | build | prefix) ;;
    go) need_go && return ;;
    *) die "unknown command $command: want get, env, build, prefix or go" ;;
  esac
  if [ -n "${TFRUN_LIBTENSORFLOW:-}" ]; then
    existing
  else
    from_wheel
  fi
  case $command in
    env) print_env ;;
    get) fast_library ;;
    build) build_shim && fast_library && print_build_env ;;
    prefix) echo "${include%/include}" ;;
  esac
}

main "$@"
