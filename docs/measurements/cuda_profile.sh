#!/usr/bin/env bash
# Measures a profile of this machine's GPUs, plans other shapes with the rates found, and runs those plans:
#   docs/measurements/cuda_profile.sh OUT_DIR      (from the repository root, in under five minutes)
# Leaves per model a profile, the samples that it was fitted to and one validation per shape (predicted-*.json), and a table on stdout. Weights are synthetic.
# BUILD: a folder that holds fathom. DEVICE: id of the accelerator in the catalog. MODELS: lines "model weights layout" instead of those
# of one GPU; a model may be a file of its configuration, a layout is "tp1", "tp4-ep4", "tp2-pp2". SHAPES: "sequences:context ..." instead of six.
set -u
out=$1
fathom=("${BUILD:-build/cuda}/fathom" -q)
models=${MODELS:-"llama-3.1-8b bf16 tp1
deepseek-v2-lite bf16 tp1
r1-distill-qwen-32b bf16 tp1
r1-distill-qwen-32b int4 tp1"}
shapes=${SHAPES:-1:512 1:2048 8:512 8:2048 64:512 64:2048}
mkdir -p "$out"

. docs/measurements/gpus.sh

# Few tokens in, many out: sequences decode together nearly all the time, at a mean context of in + out / 2.
at_context() { # model, weights, sequences, context, layout
  cluster "$1" "$2" "$3" $(($4 / 32)) $((($4 - $4 / 32) * 2)) "$5" >"$out/cluster.yaml"
}

run() { # limit in seconds, what for, arguments of fathom: says when it failed
  timeout "$1" "${fathom[@]}" "${@:3}" >"$out/log.txt" 2>&1
  code=$?
  [ $code -gt 1 ] && echo "$2: exit code $code: $(tail -n 1 "$out/log.txt")"
  return 0
}

while read -r model weights layout; do
  name=$(basename "$model" .json)-$weights
  [ -e "$model" ] && model=$(realpath "$model")
  [ "$layout" = tp1 ] || name=$name-$layout
  at_context "$model" "$weights" 2 256 "$layout"
  run 60 "$name" plan "$out/cluster.yaml" -f json=/dev/null -o "$out/plan.json"
  run 150 "$name" validate "$out/plan.json" --backend cuda --steps 12 --save-profile "$out/$name.profile.json" \
    --save-samples "$out/$name.samples.json" -f json=/dev/null
  for shape in $shapes; do
    sequences=${shape%:*} context=${shape#*:}
    at_context "$model" "$weights" "$sequences" "$context" "$layout"
    found=$out/predicted-$name-${sequences}x$context.json
    rm -f "$out/plan.json" "$found"  # or the shape before would stand for this one
    run 60 "$name" plan "$out/cluster.yaml" --profile "$out/$name.profile.json" -f json=/dev/null -o "$out/plan.json"
    run 90 "$name" validate "$out/plan.json" --backend cuda --steps 48 -f "json=$found"
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
    worst = max(off, key=off.get, default=None)
    if worst is None: continue
    print(f"{os.path.basename(path)[10:-5]:44} {step['predicted_s'] * 1e3:8.3f}ms {step['measured_s'] * 1e3:8.3f}ms"
          f" {step['error'] * 100:+6.1f}% {v['memory']['error'] * 100:+6.1f}%  {worst} {off[worst] * 100:.0f} %")
for kind, errors in sorted(kinds.items()):
    print(f"{kind}: mean absolute error {sum(errors) / len(errors) * 100:.1f} %")
END
