#!/usr/bin/env bash
# Measures a profile of this machine's first GPU, plans other shapes with the rates found, and runs those plans:
#   docs/measurements/cuda_profile.sh OUT_DIR      (from the repository root, in under five minutes)
# Leaves per model a profile, the samples that it was fitted to and one validation per shape (predicted-*.json), and a table on stdout. Weights are synthetic.
# BUILD: a folder that holds fathom. DEVICE: id of the accelerator in the catalog. MODELS: "model weights" lines instead of all.
set -u
out=$1
fathom=("${BUILD:-build/cuda}/fathom" -q)
device=${DEVICE:-nvidia-h200-sxm5-141gb}
models=${MODELS:-"llama-3.1-8b bf16
deepseek-v2-lite bf16
r1-distill-qwen-32b bf16
r1-distill-qwen-32b int4"}
mkdir -p "$out"

# Few tokens in, many out: sequences decode together nearly all the time, at a mean context of in + out / 2.
cluster() { # model, weights, sequences, context
  cat <<END
format: fathom-cluster/1
title: $1 $2 on one GPU, $3 x $4
date: 2026-11

sites:
  - {id: desk, kind: office, pue: 1.0}

groups:
  - id: gpu
    nodes: 1
    node:
      accelerator: {part: $device, count: 1}
      memory: {size: 256 GB}
      price: {value: 40000 USD, confidence: assumed}

finance:
  currency: USD

workload:
  model: $1
  weights: [$2]
  input_tokens: $(($4 / 32))
  output_tokens: $((($4 - $4 / 32) * 2))
  concurrency: $3
  slo: {ttft: 600 s, tpot: 10 s}
END
}

run() { # limit in seconds, what for, arguments of fathom: says when it failed
  timeout "$1" "${fathom[@]}" "${@:3}" >"$out/log.txt" 2>&1
  code=$?
  [ $code -gt 1 ] && echo "$2: exit code $code: $(tail -n 1 "$out/log.txt")"
  return 0
}

while read -r model weights; do
  name=$model-$weights
  cluster "$model" "$weights" 2 256 >"$out/cluster.yaml"
  run 60 "$name" plan "$out/cluster.yaml" -f json=/dev/null -o "$out/plan.json"
  run 150 "$name" validate "$out/plan.json" --backend cuda --steps 12 --save-profile "$out/$name.profile.json" \
    --save-samples "$out/$name.samples.json" -f json=/dev/null
  for shape in 1:512 1:2048 8:512 8:2048 64:512 64:2048; do
    sequences=${shape%:*} context=${shape#*:}
    cluster "$model" "$weights" "$sequences" "$context" >"$out/cluster.yaml"
    run 60 "$name" plan "$out/cluster.yaml" --profile "$out/$name.profile.json" -f json=/dev/null -o "$out/plan.json"
    run 90 "$name" validate "$out/plan.json" --backend cuda --steps 24 -f "json=$out/predicted-$name-${sequences}x$context.json"
  done
done <<<"$models"
rm -f "$out/cluster.yaml" "$out/plan.json" "$out/log.txt"

python3 - "$out" <<'END'
import glob, json, os, sys
print(f"{'':44} {'predicted':>10} {'measured':>10} {'error':>7} {'memory':>7}  kind that is off most")
kinds = {}
for path in sorted(glob.glob(sys.argv[1] + "/predicted-*.json")):
    v = json.load(open(path))
    step, off = v["step"], {}
    for kind in v["kinds"]:
        if kind.get("measured_s", 0) > 0:
            off[kind["kind"]] = abs(kind.get("error", 1))
            kinds.setdefault(kind["kind"], []).append(off[kind["kind"]])
    worst = max(off, key=off.get)
    print(f"{os.path.basename(path)[10:-5]:44} {step['predicted_s'] * 1e3:8.3f}ms {step['measured_s'] * 1e3:8.3f}ms"
          f" {step['error'] * 100:+6.1f}% {v['memory']['error'] * 100:+6.1f}%  {worst} {off[worst] * 100:.0f} %")
for kind, errors in sorted(kinds.items()):
    print(f"{kind}: mean absolute error {sum(errors) / len(errors) * 100:.1f} %")
END
