#!/usr/bin/env bash
# How far plans of one GPU are from what the engine measured on it, by the catalogs and on a machine's record:
#   docs/measurements/plans_on_a_record.sh RECORD.json [BUILD]      (from the repository root, seconds, no GPU)
# The measured steps are those of the folders in STEPS, of each the one that comes first; the plan's step includes the host's work between
# steps, as theirs does.
set -eu
record=$1
build=${2:-build/release}
read -ra folders <<<"${STEPS:-2026-11-22-cuda-one-token-h200 2026-11-22-cuda-warpgroups-h200 2026-11-22-cuda-engine-h200}"
. docs/measurements/gpus.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

step() { "$build/fathom" -q plan "$folder/cluster.yaml" "$@" -f json | python3 -c 'import json, sys; print(json.load(sys.stdin)["pools"][0]["step_time_s"]["likely"])'; }

newest() {
  local from
  for from in "${folders[@]}"; do
    [ -e "docs/measurements/$from/$1" ] && echo "docs/measurements/$from/$1" && return
  done
  echo "no folder has $1" >&2
  exit 3
}

while read -r model weights sequences tokens_in tokens_out name; do
  measured=$(newest "$model-$weights-$name.json")
  cluster "$model" "$weights" "$sequences" "$tokens_in" "$tokens_out" >"$folder/cluster.yaml"
  echo "$model $weights $sequences $((tokens_in + tokens_out / 2)) $(step) $(step --profile "$record") $measured"
done <<'END' | python3 -c '
import json, statistics, sys
errors = [[], []]
for line in sys.stdin:
    model, weights, sequences, context, *plans, file = line.split()
    measured = json.load(open(file))["step"]["measured_s"]
    missed = [float(plan) / measured - 1 for plan in plans]
    for error, of in zip(missed, errors): of.append(abs(error))
    print(f"{model:22} {weights:16} {sequences:>3} x {context:>5}  measured {measured * 1e3:6.2f} ms  catalogs {missed[0]:+5.0%}  record {missed[1]:+5.0%}")
print("median of the errors: catalogs {:.0%}, record {:.0%}".format(*map(statistics.median, errors)))
'
llama-3.1-8b bf16 1 64 128 sequences1context128steps64
llama-3.1-8b fp8 1 64 128 sequences1context128steps64
llama-3.1-8b int4 1 64 128 sequences1context128steps64
llama-3.1-8b bf16 8 1984 128 sequences8context2048steps24
llama-3.1-8b int4 8 1984 128 sequences8context2048steps24
llama-3.1-8b bf16 64 1984 128 sequences64context2048steps24
llama-3.1-8b fp8 64 1984 128 sequences64context2048steps24
llama-3.1-8b int4 64 64 128 sequences64context128steps24
r1-distill-qwen-32b bf16 1 64 128 sequences1context128steps32
r1-distill-qwen-32b int4 1 64 128 sequences1context128steps32
deepseek-v2-lite bf16 1 64 128 sequences1context128steps64
deepseek-v2-lite bf16 64 1984 128 sequences64context2048steps24
deepseek-v2-lite int4-experts+fp8 1 64 128 sequences1context128steps64
END
