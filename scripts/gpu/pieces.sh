#!/usr/bin/env bash
# pieces.sh carries a file to a machine that takes only small ones, such as a GPU machine without
# network.
#
#   pieces.sh split FILE DIR [MB]   DIR gets piece-000, piece-001, … of 48 MB and sums, the sha256
#                                   of each and of the whole
#   pieces.sh take DIR STORE        on the other side, as often as pieces arrive: checks those in
#                                   DIR and keeps them in STORE
#   pieces.sh join STORE FILE       puts the file together once all are there; says which are
#                                   missing, and ends with 1, until then
set -euo pipefail

case ${1:-} in
  split)
    file=$2 dir=$3
    rm -rf "$dir" && mkdir -p "$dir"
    split --bytes="${4:-48}MB" --numeric-suffixes --suffix-length=3 "$file" "$dir/piece-"
    (cd "$dir" && sha256sum piece-* >sums)
    sha256sum <"$file" | sed 's/-$/whole/' >>"$dir/sums"
    ;;
  take)
    dir=$2 store=$3
    mkdir -p "$store"
    cp "$dir/sums" "$store/sums"
    for piece in "$dir"/piece-*; do
      grep -F "$(sha256sum <"$piece" | cut -d' ' -f1)  ${piece##*/}" -qx "$dir/sums" || { echo "pieces: error: ${piece##*/} is damaged" >&2 && exit 1; }
      cp "$piece" "$store/"
    done
    ;;
  join)
    store=$2 file=$3 missing=()
    while read -r _ name; do
      [ "$name" = whole ] || [ -f "$store/$name" ] || missing+=("$name")
    done <"$store/sums"
    [ ${#missing[@]} = 0 ] || { echo "pieces: missing: ${missing[*]}" >&2 && exit 1; }
    cat "$store"/piece-* >"$file.new"
    grep -qx "$(sha256sum <"$file.new" | cut -d' ' -f1)  whole" "$store/sums" || { echo "pieces: error: the whole is damaged" >&2 && exit 1; }
    mv "$file.new" "$file"
    ;;
  *)
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
