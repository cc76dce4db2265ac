#!/usr/bin/env bash
# Tests and measures the engine on all GPUs of this machine, two or four H200 as they stand:
#   docs/measurements/cuda_gpus.sh OUT_DIR       (from the repository root, in under five minutes)
# Leaves the log of the tests, sums between GPUs beside NCCL's (peers.json), one validation per model, layout and shape as JSON, and a table
# on stdout. Weights are synthetic: nothing is read.
# BUILD: a folder that holds fathom, engine_cuda_tests and peers_bench already; they are built where they are missing.
# DEVICE: id of the accelerator in the catalog. SKIP_TESTS=1: measure only.
set -u
out=$1
build=${BUILD:-build/cuda}
gpus=$(nvidia-smi --list-gpus | wc -l)
mkdir -p "$out"

for program in fathom engine_cuda_tests peers_bench; do
  [ -x "$build/$program" ] && continue
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" -DFATHOM_CUDA=ON >"$out/build.txt" 2>&1 &&
    cmake --build "$build" -j "$(nproc)" --target fathom_cli engine_cuda_tests peers_bench >>"$out/build.txt" 2>&1 ||
    { tail -n 20 "$out/build.txt"; exit 3; }
  break
done
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv >"$out/device.csv" 2>&1
nvidia-smi topo -m >"$out/topology.txt" 2>&1

if [ -z "${SKIP_TESTS:-}" ]; then
  timeout 150 "$build/engine_cuda_tests" --gtest_filter='CudaParallel.*:*PeerSums*' >"$out/engine_cuda_tests.txt" 2>&1
  echo "engine_cuda_tests: exit code $?, $(grep -c '^\[       OK' "$out/engine_cuda_tests.txt") tests passed, $(grep -c '^\[  FAILED  \].*(' "$out/engine_cuda_tests.txt") failed"
fi
timeout 90 "$build/peers_bench" "$out/peers.json" >"$out/peers.txt" 2>&1 || tail -n 3 "$out/peers.txt"
grep -E ' (14336|917504) B|gather' "$out/peers.txt"

. docs/measurements/gpus.sh

validate() { # plan, name, before the program, arguments
  # shellcheck disable=SC2086
  timeout 120 $3 "$build/fathom" -q validate "$1" --backend cuda $4 -f "json=$2.json" >"$2.txt" 2>&1
  code=$?
  [ $code -gt 1 ] && echo "$2: exit code $code: $(tail -n 1 "$2.txt")"
  return 0
}

short=docs/measurements/deepseek-r1-16-layers.json
while read -r model weights layout shape; do
  [ "$(gpus_of "$layout")" -gt "$gpus" ] && continue
  name=$(basename "$model" .json)-$weights-$layout
  plan=$out/$name.plan.json
  if [ ! -e "$plan" ]; then
    [ -e "$model" ] && model=$(realpath "$model")
    cluster "$model" "$weights" 1 64 128 "$layout" >"$out/cluster.yaml"
    "$build/fathom" -q plan "$out/cluster.yaml" -f json=/dev/null -o "$plan"
  fi
  validate "$plan" "$out/$name-$(echo "$shape" | tr -d ' -')" "" "$shape"
done <<END
llama-3.1-8b bf16 tp2 --sequences 1 --context 128 --steps 64
r1-distill-qwen-32b bf16 tp2 --sequences 1 --context 128 --steps 64
deepseek-v2-lite bf16 tp2-ep2 --sequences 1 --context 128 --steps 64
deepseek-v2-lite bf16 attention_dp2-ep2 --sequences 64 --context 512 --steps 48
llama-3.1-8b bf16 pp2 --sequences 2 --context 128 --steps 64
$short int4-experts+fp8 tp2 --sequences 1 --context 128 --steps 64
$short int4-experts+fp8 tp2 --sequences 64 --context 512 --steps 48
$short int4-experts+fp8 tp2-ep2 --sequences 1 --context 128 --steps 64
llama-3.1-8b bf16 tp4 --sequences 1 --context 128 --steps 64
r1-distill-qwen-32b bf16 tp4 --sequences 1 --context 128 --steps 64
deepseek-v2-lite bf16 tp4-ep4 --sequences 1 --context 128 --steps 64
deepseek-r1 int4-experts+fp8 tp4 --sequences 1 --context 128 --steps 64
deepseek-r1 int4-experts+fp8 tp4 --sequences 64 --context 512 --steps 48
deepseek-r1 int4-experts+fp8 tp4-ep4 --sequences 1 --context 128 --steps 64
deepseek-r1 int4-experts+fp8 tp4-ep4 --sequences 64 --context 512 --steps 48
END

# One process per GPU: the same logits, at the same speed.
layout=tp$gpus
mpi="mpirun --quiet --bind-to none --allow-run-as-root -n $gpus"
validate "$out/llama-3.1-8b-bf16-$layout.plan.json" "$out/mpirun-llama-3.1-8b-bf16-$layout" "$mpi" "--sequences 1 --context 128 --steps 64"
rm -f "$out/cluster.yaml" "$out"/*.plan.json

python3 - "$out" <<'END'
import glob, json, os, sys
print(f"{'':64} {'step':>9} {'tok/s':>9} {'weights':>9}  logits")
for path in sorted(glob.glob(sys.argv[1] + "/*-*.json")):
    v = json.load(open(path))
    weights = next(r["allocated_bytes"] for r in v["memory"]["rows"] if r["name"] == "weights")
    print(f"{os.path.basename(path)[:-5]:64} {v['step']['measured_s'] * 1e3:7.3f}ms {v['tokens_per_s']:9.0f}"
          f" {weights / 1e9:7.2f}GB  {v.get('logits_hash', v['run'].get('logits_hash', ''))}")
END
