#!/usr/bin/env bash
# vuln.sh runs govulncheck on all packages. Its last line is one of
#
#   vuln: no known vulnerability is reached
#   vuln: FAILED: …                                                       exit status 1
#   vuln: NOT CHECKED: …, the database cannot be reached                  exit status 0; 1 with
#         VULN=required
#
# GOVULNDB names another copy of the database.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

readonly go=${GO:-go} tool=golang.org/x/vuln/cmd/govulncheck@v1.1.4 db=${GOVULNDB:-https://vuln.go.dev}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

not_checked() {
  echo "vuln: NOT CHECKED: $1"
  [ "${VULN:-}" != required ] || exit 1
  exit 0
}

case $db in
  http*) curl -fsS --max-time 20 -o "$log" "$db/index/db.json" 2>/dev/null || not_checked "$db: the database cannot be reached" ;;
esac
mkdir -p bin/tools
GOBIN=$PWD/bin/tools CGO_ENABLED=0 "$go" install "$tool" || not_checked "$tool cannot be installed"
bin/tools/govulncheck -db "$db" ./... 2>&1 | tee "$log"
case ${PIPESTATUS[0]} in
  0) echo 'vuln: no known vulnerability is reached' ;;
  *) echo 'vuln: FAILED: see above' && exit 1 ;;
esac
