#!/usr/bin/env bash
# Tests and measures the engine on this machine's first GPU, an H200 as it stands:
#   docs/measurements/cuda_engine.sh OUT_DIR       (from the repository root, in under eight minutes)
# Leaves the log of the tests, one validation per model and shape as JSON, and a table on stdout. Weights are synthetic: nothing is read.
# BUILD: a folder that holds fathom, kernels_cuda_tests and engine_cuda_tests already; they are built where they are missing.
# DEVICE: id of the accelerator in the catalog; PEAK: its bandwidth in bytes/s. SKIP_TESTS=1: measure only. ONLY: of the lines below those
# that this extended regular expression finds.
set -u
out=$1
build=${BUILD:-build/cuda}
peak=${PEAK:-4.8e12}
mkdir -p "$out"

programs=(fathom kernels_cuda_tests engine_cuda_tests)
for program in "${programs[@]}"; do
  [ -x "$build/$program" ] && continue
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" -DFATHOM_CUDA=ON >"$out/build.txt" 2>&1 &&
    cmake --build "$build" -j "$(nproc)" --target fathom_cli kernels_cuda_tests engine_cuda_tests >>"$out/build.txt" 2>&1 ||
    { tail -n 20 "$out/build.txt"; exit 3; }
  break
done
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv >"$out/device.csv" 2>&1

if [ -z "${SKIP_TESTS:-}" ]; then
  for program in kernels_cuda_tests engine_cuda_tests; do
    timeout 150 "$build/$program" >"$out/$program.txt" 2>&1
    echo "$program: exit code $?, $(grep -c '^\[       OK' "$out/$program.txt") tests passed, $(grep -c '^\[  FAILED  \].*(' "$out/$program.txt") failed"
  done
fi

. docs/measurements/gpus.sh

# Model, weights, what is run.
while read -r model weights shape; do
  grep -qE "${ONLY:-.}" <<<"$model $weights $shape" || continue
  plan=$out/$model-$weights.plan.json
  if [ ! -e "$plan" ]; then
    cluster "$model" "$weights" 1 64 128 >"$out/cluster.yaml"
    "$build/fathom" -q plan "$out/cluster.yaml" -f json=/dev/null -o "$plan"
  fi
  name=$out/$model-$weights-$(echo "$shape" | tr -d ' -')
  # shellcheck disable=SC2086
  timeout 90 "$build/fathom" -q validate "$plan" --backend cuda $shape -f "json=$name.json" >"$name.txt" 2>&1
  code=$?
  [ $code -gt 1 ] && echo "$name: exit code $code: $(tail -n 1 "$name.txt")"
done <<'END'
llama-3.1-8b bf16 --sequences 1 --context 128 --steps 64
llama-3.1-8b fp8 --sequences 1 --context 128 --steps 64
llama-3.1-8b int4 --sequences 1 --context 128 --steps 64
r1-distill-qwen-32b bf16 --sequences 1 --context 128 --steps 32
r1-distill-qwen-32b int4 --sequences 1 --context 128 --steps 32
deepseek-v2-lite bf16 --sequences 1 --context 128 --steps 64
deepseek-v2-lite int4-experts+fp8 --sequences 1 --context 128 --steps 64
llama-3.1-8b bf16 --prompt 2048 --steps 12
llama-3.1-8b bf16 --prompt 8192 --steps 8
llama-3.1-8b int4 --prompt 8192 --steps 8
llama-3.1-8b bf16 --sequences 64 --context 2048 --steps 24
llama-3.1-8b fp8 --sequences 64 --context 2048 --steps 24
llama-3.1-8b bf16 --sequences 8 --context 2048 --steps 24
llama-3.1-8b int4 --sequences 8 --context 2048 --steps 24
llama-3.1-8b int4 --sequences 64 --context 128 --steps 24
deepseek-v2-lite bf16 --sequences 64 --context 2048 --steps 24
deepseek-v2-lite bf16 --prompt 4096 --steps 8
END
rm -f "$out/cluster.yaml" "$out"/*.plan.json

python3 - "$out" "$peak" <<'END'
import glob, json, os, sys
print(f"{'':44} {'step':>9} {'tok/s':>9} {'of bandwidth':>13} {'timed steps':>12}")
for path in sorted(glob.glob(sys.argv[1] + "/*-*.json")):
    v = json.load(open(path))
    run, step = v["run"], v["step"]["measured_s"]
    rows = {row["name"]: row.get("predicted_bytes", 0) for row in v["memory"]["rows"]}
    embedding = 128256 * 4096 * 2  # of which a step reads a few rows
    read = sum(rows.values()) - rows.get("activations", 0) - embedding  # weights and cache, each once
    dense = "llama" in path and run["sequences"]  # of experts only some are read
    share = f"{read / step / float(sys.argv[2]) * 100:.0f} %" if dense else ""
    overhead = next((n.split("took ")[1].split(" the")[0] for n in run["notes"] if "timed in steps" in n), "")
    print(f"{os.path.basename(path)[:-5]:44} {step * 1e3:7.3f}ms {v['tokens_per_s']:9.0f} {share:>13} {overhead:>12}")
END
