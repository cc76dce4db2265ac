#!/usr/bin/env bash
# How long `fathom check` takes for 1,000 cluster files on one core: every design of examples/ and tests/fixtures/designs/ in turn,
# its claims included, each copy with a title of its own. Usage: check_thousand.sh [FATHOM]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
fathom=${1:-$root/fathom}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
made=0
while [ "$made" -lt 1000 ]; do
  for file in "$root"/examples/*/*.yaml "$root"/tests/fixtures/designs/*.yaml; do
    grep -q '^format: fathom-cluster/1' "$file" || continue
    [ "$made" -lt 1000 ] || break
    mkdir "$folder/$made"
    sed "s|^title: .*|title: design $made|" "$file" > "$folder/$made/cluster.yaml"
    made=$((made + 1))
  done
done
echo "$made files"
time -p taskset -c 0 "$fathom" check "$folder" -q --fail-on never -f json="$folder/findings.json" || [ $? -eq 2 ]
