#!/usr/bin/env bash
# `fathom validate` as threads, as four processes of this host, and across two network namespaces: one hash of logits.
set -u
root=$(pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"  # Open MPI's

expect() {  # WHAT WANTED FOUND
  [[ $2 == "$3" ]] || { printf 'FAILED: %s\n  wanted: %s\n  found:  %s\n' "$1" "$2" "$3"; exit 1; }
}
command -v mpirun >/dev/null || { echo "waived: no mpirun (apt-get install openmpi-bin)"; exit 0; }

cat >"$place/cluster.yaml" <<END
format: fathom-cluster/1
title: four ranks
sites: [{id: desk, pue: 1.0}]
groups: [{id: host, nodes: 1, node: {accelerator: {part: host-cpu, count: 4}, memory: 8 GB}}]
layout: [{group: host, tp: 2, pp: 2, ep: 2}]
workload: {model: $root/tests/data/oracle/deepseek_v3/config.json, engine: fathom-host, weights: [bf16],
           input_tokens: 20, output_tokens: 8, concurrency: 4}
END
fathom=("$FATHOM_BINARY" --data-dir "$root/catalogs")
"${fathom[@]}" plan "$place/cluster.yaml" -f json=/dev/null -o "$place/plan.json" -q || true
command=("${fathom[@]}" -q validate "$place/plan.json" --steps 2 --timeout 30 -f json)
hash_of() { sed -n 's/.*"logits_hash": "\([0-9a-f]*\)".*/\1/p' "$1"; }

"${command[@]}" >"$place/threads.json"
wanted=$(hash_of "$place/threads.json")
expect "threads print a hash" 16 "${#wanted}"

mpirun --quiet -n 4 --oversubscribe --allow-run-as-root --bind-to none "${command[@]}" >"$place/mpi.json" 2>"$place/stderr"
if grep -q "built without MPI" "$place/stderr" || [[ $(grep -c logits_hash "$place/mpi.json") == 4 ]]; then
  echo "waived: built without MPI"
  exit 0
fi
expect "four processes give the same logits ($(cat "$place/stderr"))" "$wanted" "$(hash_of "$place/mpi.json")"

status=0
bash tests/comm/across_namespaces.sh "${command[@]}" >"$place/far.json" 2>"$place/stderr" || status=$?
if ((status == 77)); then
  cat "$place/far.json"
else
  expect "two hosts give the same logits ($(cat "$place/stderr"))" "$wanted" "$(hash_of "$place/far.json")"
fi
echo passed
