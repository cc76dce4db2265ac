# For the scripts here that measure GPUs of one node: a cluster file with a pinned layout and a service level that anything meets.
# DEVICE: the accelerator's id in the catalog.
device=${DEVICE:-nvidia-h200-sxm5-141gb}

cluster() { # model, weights, sequences, tokens in, tokens out, layout ("tp: 2, ep: 2"), its GPUs
  cat <<END
format: fathom-cluster/1
title: $1 $2 on ${7:-1} GPU(s), $3 at once
date: 2026-11

sites:
  - {id: desk, kind: office, pue: 1.0}

groups:
  - id: gpu
    nodes: 1
    node:
      accelerator: {part: $device, count: ${7:-1}}
      memory: {size: 256 GB}
      price: {value: 40000 USD, confidence: assumed}

layout:
  - {group: gpu, ${6:-tp: 1}, replicas: 1}

finance:
  currency: USD

workload:
  model: $1
  weights: [$2]
  input_tokens: $4
  output_tokens: $5
  concurrency: $3
  slo: {ttft: 600 s, tpot: 10 s}
END
}
