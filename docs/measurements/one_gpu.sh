# For the scripts here that measure a GPU: a cluster file of one, with a service level that anything meets. DEVICE: its id in the catalog.
device=${DEVICE:-nvidia-h200-sxm5-141gb}

cluster() { # model, weights, sequences, tokens in, tokens out
  cat <<END
format: fathom-cluster/1
title: $1 $2 on one GPU, $3 at once
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
  input_tokens: $4
  output_tokens: $5
  concurrency: $3
  slo: {ttft: 600 s, tpot: 10 s}
END
}
