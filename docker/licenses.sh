#!/usr/bin/env bash
# licenses.sh copies the licences of all Go code that is in a program, its own and Go's included.
#
#   licenses.sh PROGRAM OUT
#
# It runs in the source's folder, with the modules in the cache as the build left them. OUT gets one
# folder a module.
set -euo pipefail

program=$1 out=$2
go=${GO:-go}
modules=$("$go" version -m "$program" | grep -P '^\tdep\t')
declare -A dirs
while read -r path dir; do dirs[$path]=$dir; done < <("$go" list -m -f '{{.Path}} {{.Dir}}' all)

# collect copies the licence files of a folder; a module without one stops the build.
collect() {
  local from=$1 to=$out/$2 file count=0
  mkdir -p "$to"
  for file in "$from"/{LICEN[CS]E,COPYING,NOTICE,PATENTS,License}*; do
    [ -f "$file" ] || continue
    install -m 644 "$file" "$to/"
    count=$((count + 1))
  done
  [ "$count" != 0 ] || { echo "licenses: error: no licence in $2" >&2 && exit 1; }
}

collect . tfrun
collect "$("$go" env GOROOT)" go
while read -r _ path version _; do
  dir=${dirs[$path]:-}
  [ -n "$dir" ] || { echo "licenses: error: $path@$version is not in the module cache" >&2 && exit 1; }
  collect "$dir" "$path@$version"
done <<<"$modules"
