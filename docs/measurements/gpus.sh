# For the scripts here that measure GPUs of one node: a cluster file with a pinned layout and a service level that anything meets.
# DEVICE: the accelerator's id in the catalog.
device=${DEVICE:-nvidia-h200-sxm5-141gb}

# Of a layout such as "tp4-ep4" or "tp2-pp2": what the cluster file says, and how many GPUs that are.
layout_of() { sed -E 's/([a-z_]+)([0-9]+)/\1: \2/g; s/-/, /g' <<<"$1"; }
gpus_of() {
  local all=1 degree
  for degree in $(grep -oE '(tp|pp|dp)[0-9]+' <<<"$1" | grep -oE '[0-9]+'); do all=$((all * degree)); done
  echo $all
}

cluster() { # model, weights, sequences, tokens in, tokens out, layout
  local layout=${6:-tp1}
  cat <<END
format: fathom-cluster/1
title: ${1##*/} $2, $layout on one node, $3 at once
date: 2026-11

sites:
  - {id: desk, kind: office, pue: 1.0}

groups:
  - id: gpu
    nodes: 1
    node:
      accelerator: {part: $device, count: $(gpus_of "$layout")}
      memory: {size: 256 GB}
      price: {value: 40000 USD, confidence: assumed}

layout:
  - {group: gpu, $(layout_of "$layout"), replicas: 1}

finance:
  currency: USD

workload:
  model: $1
  engine: fathom-cuda
  weights: [$2]
  input_tokens: $4
  output_tokens: $5
  concurrency: $3
  slo: {ttft: 600 s, tpot: 10 s}
END
}
