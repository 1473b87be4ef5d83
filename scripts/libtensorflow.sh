#!/usr/bin/env bash
# libtensorflow.sh gets libtensorflow, checks it, and lays it out for cgo.
#
#   scripts/libtensorflow.sh [get]    make it ready; a second run is instant and says one line
#   scripts/libtensorflow.sh env      the same, then print the export lines that cgo needs
#   scripts/libtensorflow.sh build    the same, then print the export lines for building tfrun itself, which opens the
#                                     library when a model is loaded (internal/cgoenv) instead of being linked with it
#   scripts/libtensorflow.sh prefix   the same, then print the folder that holds lib/ and include/
#   scripts/libtensorflow.sh go       only check that Go is there
#
# Where it comes from: the Python wheel tensorflow-cpu; the wheel tensorflow for the GPU build, and for ARM,
# where it has no GPU support. A wheel is a zip: this one holds the C library and its headers. pip
# fetches it, so a mirror or proxy that pip knows is used, and nothing is installed into Python.
# Any Python from 3.6 with any pip from 19.3 will do.
#
# Where it goes: wheel and library are kept in one cache folder for every clone, because the library
# is 850 MB unpacked, and 540 MB more in a copy that opens faster. The clone gets a link, third_party/tensorflow/<variant>-<version>, with
#
#   lib/libtensorflow_cc.so.2, lib/libtensorflow_framework.so.2        the library
#   lib/libtensorflow.so, lib/libtensorflow_framework.so               names for the linker
#   include/                                                           headers of the C API
#   licenses/                                                          notices of third parties
#
# Deleting the cache or third_party is always safe: the next run makes whatever is missing. A library
# becomes visible by one rename, after its wheel's sha256 and a compiled C program that
# calls TF_Version were both found right. Runs at the same time take turns. After an interruption, a
# wheel that was whole is not fetched again; pip starts a half-fetched one afresh.
#
# Variables:
#   VARIANT=cpu|gpu            which build (cpu); the GPU build finds CUDA's libraries at run time
#   TF=2.21.0                  which version, 2.15.0 or later; those up to 2.21.0 are pinned by sha256 below
#   TFRUN_LIBTENSORFLOW=DIR    use this libtensorflow and download nothing: a folder with lib/ and
#                              include/ (/usr/local, an unpacked tarball) or a Python
#                              package folder (…/site-packages/tensorflow)
#   TFRUN_CACHE=DIR            the cache folder (${XDG_CACHE_HOME:-~/.cache}/tfrun; in the clone
#                              under third_party/.cache where that cannot be written)
#   TFRUN_WHEEL=FILE           take this wheel instead of downloading one (no network needed)
#   TFRUN_SHA256=HEX           the wheel's sha256, instead of the pinned one: for a build of one's own
#   PYTHON, CC                 the Python and the C compiler to use (python3, gcc)
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

# pinned prints sha256 and size in MB of the wheel for a machine, variant and version.
pinned() {
  case $1-$2-$3 in
    x86_64-cpu-2.15.0) echo f46c795177f6311c83562e05d38dc7d4618f8d3150e6902a4499b875f3f97270 207 ;;
    x86_64-cpu-2.15.1) echo 54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26 207 ;;
    x86_64-cpu-2.16.1) echo 8fde4a1a1515f3099119c2d71e1653aa6e7ae81ec58b7cb045cab5e5bb147b8b 214 ;;
    x86_64-cpu-2.16.2) echo c855cb6bf05d32dd5928086b03a5f6b4189b63c22b95e017703cbee4291023ca 214 ;;
    x86_64-cpu-2.17.0) echo e7f383ffe153d67de338b0fc26ab44546466ec016fe4dbff74bfd206d1894285 221 ;;
    x86_64-cpu-2.17.1) echo 4935d35d15924602605c839cb6cd5a578f89f626d8736f62065fe3a089b63b6f 221 ;;
    x86_64-cpu-2.18.0) echo 089e71746960ea581dca53401f84b3b99c8537313e337a9e5dbf97036a936f7e 230 ;;
    x86_64-cpu-2.18.1) echo 810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298 230 ;;
    x86_64-cpu-2.19.0) echo 9389305ae3012288a5e367081b6757bfb9d86d4048c69989c659830b257e1c51 252 ;;
    x86_64-cpu-2.19.1) echo 0b6d72bd09c267e7573757bd309f5b1e2cdb02577339991da751f3a1411e4dae 252 ;;
    x86_64-cpu-2.20.0) echo cf756bbe2d256e942ab5d0ad2c858fb40017581494febdb4387c149b1afde780 259 ;;
    x86_64-cpu-2.21.0) echo 2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c 274 ;;
    x86_64-gpu-2.15.0) echo dee8ec2b2c6c942ae65d25746e53cdc475e82d5fcbbb3009ce47f5963d69ebfc 475 ;;
    x86_64-gpu-2.15.1) echo bb0edd69103c154245c5f209f0507355cc68ba7e4de350084bc31edc562478e4 475 ;;
    x86_64-gpu-2.16.1) echo 930c61100cce3a5cb63d30fe6776504405214e8398a26ca968222ecb8b8f9404 590 ;;
    x86_64-gpu-2.16.2) echo d8798dea8e2281b4a0b569d9c00e7949c0090509be363da271e1ef21828bffae 591 ;;
    x86_64-gpu-2.17.0) echo 8339777b1b5ebd8ffadaa8196f786e65fbb081a371d8e87b52f24563392d8552 601 ;;
    x86_64-gpu-2.17.1) echo 68841e17e573301d8ba9192f929b8096b0b341567cb81414096305c723de68d0 601 ;;
    x86_64-gpu-2.18.0) echo 70b8dd70fa3600bfce66ab529eebb804e1f9d7c863d2f71bc8fe9fc7a1ec3976 615 ;;
    x86_64-gpu-2.18.1) echo c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828 616 ;;
    x86_64-gpu-2.19.0) echo 390747786ac979809fa1cfcf6916220ef0bfed6b9e1b8c643b6b09184a868fe4 645 ;;
    x86_64-gpu-2.19.1) echo 8e5524eb492160576e5eeea9bb472ddc653123503f2290f83123d5ac9545750e 645 ;;
    x86_64-gpu-2.20.0) echo 481499fd0f824583de8945be61d5e827898cdaa4f5ea1bc2cc28ca2ccff8229e 621 ;;
    x86_64-gpu-2.21.0) echo 9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124 572 ;;
    aarch64-cpu-2.16.1) echo 617df9fa2d697c4bc22fa3ee87eb01d580ab1bd0438fea15c4ec2f2870c40bb0 219 ;;
    aarch64-cpu-2.17.0) echo ca82f98ea38fa6c9e08ccc69eb6c2fab5b35b30a8999115b8b63b6f02fc69d9d 224 ;;
    aarch64-cpu-2.18.0) echo 85f1e7369af6d329b117b52e86093cd1e0458dd5404bf5b665853f873dd00b48 232 ;;
    aarch64-cpu-2.19.0) echo c92d3ff958ac0ee0eb343f10d4055b3a2815635cb3ee0836f9b1d735c76ee098 253 ;;
    aarch64-cpu-2.20.0) echo 3e9568c8efcb05c0266be223e3269c62ebf7ad3498f156438311735f6fa5ced5 259 ;;
    aarch64-cpu-2.21.0) echo 4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c 282 ;;
  esac
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

# need_pip sets python to a Python 3, pip to a command that runs pip, and resume to a flag where
# pip knows it: it picks a broken connection up where it broke.
need_pip() {
  python=${PYTHON:-python3}
  command -v "$python" >/dev/null ||
    die "Python 3 is missing: $(install_hint 'python3 python3-pip' 'python3 python3-pip')"
  "$python" -c 'import sys, zipfile; sys.exit(sys.version_info < (3, 6))' 2>/dev/null ||
    die "$python is no Python 3.6 or later with its standard library: $(install_hint python3 python3)"
  [ -z "${TFRUN_WHEEL:-}" ] || return 0
  local help
  pip=("$python" -m pip) resume=()
  if ! help=$("${pip[@]}" download --help 2>/dev/null); then
    pip=(pip3)
    help=$("${pip[@]}" download --help 2>/dev/null) ||
      die "pip is missing: $(install_hint python3-pip python3-pip)"
  fi
  [[ $help != *--resume-retries* ]] || resume=(--resume-retries 20)
}

# need_platform sets arch to this machine's, if there are wheels for it.
need_platform() {
  local os
  os=$(uname -s) arch=$(uname -m)
  [ "$os" = Linux ] || die "$os is not supported: use Linux, for instance in a container"
  case $arch-$variant in
    x86_64-* | aarch64-cpu) ;;
    aarch64-*) die "there is no GPU build for Linux $arch: leave VARIANT=gpu out" ;;
    *) die "there is no build for Linux $arch: point TFRUN_LIBTENSORFLOW at a libtensorflow of your own" ;;
  esac
  if ls /lib/ld-musl-* >/dev/null 2>&1 && ! ls /lib*/ld-linux-* >/dev/null 2>&1; then
    die 'the wheels need glibc and this system has musl: use a glibc system, such as Debian or Fedora'
  fi
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

sha256() { sha256sum "$1" | cut -d' ' -f1; }

# lock waits for its turn in the folder; the lock ends with this process.
lock() {
  command -v flock >/dev/null || die "flock is missing: $(install_hint util-linux util-linux)"
  exec 9>"$1/lock"
  if ! flock -n 9; then
    say 'another run is at it: waiting for it to end'
    flock 9
  fi
}

pip_version() { "${pip[@]}" --version 2>/dev/null | cut -d' ' -f1,2; }

# download puts the wheel into folder $1 through pip, which checks sha256 $2 where one is given.
download() {
  local to=$1 sha=$2 mb=$3 package=tensorflow platform=manylinux_2_27_$arch temp
  [ "$arch-$variant" != x86_64-cpu ] || package=tensorflow-cpu
  case $version in 2.1[5-9].* | 2.20.*) platform=manylinux_2_17_$arch ;; esac
  say "downloading the wheel of $package $version, ${mb:-some hundred} MB, once for all clones, into $cache"
  temp=$work/pip
  mkdir -p "$temp" "$work/wheel"
  echo "$package==$version${sha:+ --hash=sha256:$sha}" >"$work/requirements.txt"
  # TMPDIR: pip gathers the wheel there, and /tmp may be small. No pip cache: it would be a second copy.
  TMPDIR=$temp "${pip[@]}" --disable-pip-version-check download --no-cache-dir --no-deps --only-binary=:all: \
    ${resume[@]+"${resume[@]}"} --implementation cp --python-version 311 --abi cp311 --platform "$platform" \
    -d "$work/wheel" -r "$work/requirements.txt" >&2 ||
    die "pip could not get $package $version: see its message above (pip 19.3 or later is needed, this is $(pip_version))"
  rm -rf "$to"
  mkdir -p "${to%/*}"
  mv "$work/wheel" "$to"
}

# wheel_in prints the wheel in a folder, or nothing.
wheel_in() {
  local file
  for file in "$1"/*.whl; do
    [ ! -f "$file" ] || echo "$file"
  done
}

# get_wheel sets wheel to a verified wheel, and sha to its sha256.
get_wheel() {
  local sha_want=$1 mb=$2 dir=$cache/wheels/linux-$arch/$variant-$version
  if [ -n "${TFRUN_WHEEL:-}" ]; then
    wheel=$TFRUN_WHEEL
    [ -f "$wheel" ] || die "TFRUN_WHEEL=$wheel is no file"
    sha=$(sha256 "$wheel")
    [ -z "$sha_want" ] || [ "$sha" = "$sha_want" ] ||
      die "TFRUN_WHEEL=$wheel has sha256 $sha, want $sha_want"
    return
  fi
  local tries=0
  while :; do
    wheel=$(wheel_in "$dir")
    if [ -n "$wheel" ]; then
      sha=$(sha256 "$wheel")
      [ -n "$sha_want" ] || sha_want=$(cat "$dir/sha256" 2>/dev/null || true)
      [ "$sha" != "$sha_want" ] || break
      say "the wheel in the cache is damaged (sha256 $sha, want ${sha_want:-a recorded one}): fetching it again"
    fi
    [ $((tries++)) = 0 ] || die "the downloaded wheel has sha256 ${sha:-none}, want $sha_want"
    download "$dir" "$sha_want" "$mb"
    if [ -z "$sha_want" ]; then
      sha256 "$(wheel_in "$dir")" >"$dir/sha256"
      say "no sha256 of $variant $version is pinned here: pip checked it against the package index only"
    fi
  done
  say "sha256 $sha is right"
}

# build unpacks the wheel beside its final place, checks the result and renames it.
build() {
  local dest=$1 new=$work/new found
  mkdir -p "$new"
  say "unpacking ${wheel##*/}"
  "$python" "$root/scripts/unwheel.py" "$wheel" "$new" || { told=yes && exit 1; }
  ln -s libtensorflow_cc.so.2 "$new/lib/libtensorflow.so"
  ln -s libtensorflow_framework.so.2 "$new/lib/libtensorflow_framework.so"
  found=$(try_library "$new/lib" "$new/include" "$work") ||
    die "the library of ${wheel##*/} does not work here: $(why "$work/check.log")"
  [ "$found" = "$version" ] || die "the library says it is TensorFlow $found, want $version"
  printf '%s %s\n%s\n' "$sha" "$found" "$(sizes "$new/lib")" >"$new/stamp"
  chmod -R a+rX "$new"
  [ ! -e "$dest" ] || mv "$dest" "$work/old"
  mv "$new" "$dest"
}

# point makes the link named $2 lead to $1, by one rename, unless it already does.
point() {
  [ "$(readlink "$2" 2>/dev/null)" != "$1" ] || return 0
  [ -L "$2" ] || [ ! -e "$2" ] || die "$2 is in the way: remove it"
  mkdir -p "${2%/*}"
  ln -sfn "$1" "$2.$$"
  mv -fT "$2.$$" "$2"
}

# from_wheel sets lib and include to the library made from a wheel.
from_wheel() {
  local want mb dest start=$SECONDS
  case $variant in cpu | gpu) ;; *) die "VARIANT=$variant: want cpu or gpu" ;; esac
  [[ $version =~ ^2\.(1[5-9]|[2-9][0-9])\.[0-9]+$ ]] ||
    die "TF=$version: want a release such as 2.21.0, 2.15.0 or later"
  need_platform
  read -r want mb < <(pinned "$arch" "$variant" "$version") || true
  want=${TFRUN_SHA256:-${want:-}}
  choose_cache
  dest=$cache/libtensorflow/linux-$arch/$variant-$version
  if ! whole "$dest" "$want"; then
    need_compiler
    need_pip
    mkdir -p "${dest%/*}"
    lock "$cache"
    if ! whole "$dest" "$want"; then
      rm -rf "$cache"/run.* # left by a run that was killed: we hold the lock
      work=$(mktemp -d "$cache/run.XXXXXX")
      get_wheel "$want" "${mb:-}"
      build "$dest"
      say "made in $((SECONDS - start)) s"
    fi
    exec 9>&-
  fi
  point "$dest" "$root/third_party/tensorflow/$variant-$version"
  lib=$dest/lib include=$dest/include
  ready "TensorFlow $version ($variant) in third_party/tensorflow/$variant-$version"
}

# existing sets lib and include to those of TFRUN_LIBTENSORFLOW, once they were seen to work.
existing() {
  local dir key view stamp found
  [ "$(uname -s)" = Linux ] || need_platform
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

# print_exports prints cgo's variables, for eval: paths in them are text and nothing that a shell would run.
print_exports() {
  printf 'export CGO_ENABLED=1\nexport CGO_CFLAGS=%s\nexport CGO_LDFLAGS=%s\n' "$(quoted "$1")" "$(quoted "$2")"
}

# build_shim sets cgo to a folder with the headers and the stand-in that the linker finds as -ltensorflow, made once for all clones that have the
# same; `tfrun env` lays out the same for other modules.
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

# fast_library makes a second copy of the library, once for all clones, that a process opens in 0.07 s instead of 0.18: docker/slim.py leaves out the names
# and the relocations that only programs linked with TensorFlow's C++ need. It takes some seconds and 540 MB; tfrun uses it, what env prints does not.
# Where it cannot be made tfrun opens the library itself. The GPU build is left alone: it finds CUDA's libraries by its own paths.
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

# print_build_env prints what building tfrun needs: cgo's variables, and where the library is for the libraryDir of runner/internal/tf.
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
