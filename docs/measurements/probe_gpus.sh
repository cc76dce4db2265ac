#!/usr/bin/env bash
# `fathom probe` beside plain loops on all GPUs of this machine, in one session:
#   docs/measurements/probe_gpus.sh OUT_DIR       (from the repository root, in under four minutes)
# Leaves two records of the probe, what probe_loops (copies, cuBLASLt, NCCL) and PyTorch print, and a table on stdout: the probe's figure,
# the plain loop's, PyTorch's, and how far the two runs of the probe are apart.
# BUILD: a folder that holds fathom and probe_loops already; they are built where they are missing. PYTHON: one that has torch.
set -u
out=$1
build=${BUILD:-build/cuda}
python=${PYTHON:-python3}
here=$(dirname "$0")
mkdir -p "$out"

for program in fathom probe_loops; do
  [ -x "$build/$program" ] && continue
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" -DFATHOM_CUDA=ON >"$out/build.txt" 2>&1 &&
    cmake --build "$build" -j "$(nproc)" --target fathom_cli probe_loops >>"$out/build.txt" 2>&1 ||
    { tail -n 20 "$out/build.txt"; exit 3; }
  break
done
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv >"$out/device.csv" 2>&1

for run in 1 2; do
  start=$(date +%s)
  timeout 150 "$build/fathom" probe --name h200 -o "$out/probe-$run.json" >"$out/probe-$run.txt" 2>&1
  echo "fathom probe, run $run: exit code $?, $(($(date +%s) - start)) s"
  timeout 60 "$build/probe_loops" >"$out/loops-$run.txt" 2>&1
  timeout 60 "$python" "$here/probe_torch.py" >"$out/torch-$run.txt" 2>&1
done
"$python" "$here/probe_table.py" "$out"
