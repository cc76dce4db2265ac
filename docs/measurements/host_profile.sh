#!/usr/bin/env bash
# Measures this machine with the host engine, plans other loads with the rates found, and runs those plans:
#   docs/measurements/host_profile.sh OUT_DIR [CLUSTER]       (from the repository root; FATHOM: the program)
# Leaves profile.json, the middle one of three validations per load, and a table on stdout. Rest the machine meanwhile.
# STEPS: of every shape; on a shared machine medians of a second wander by a fifth.
set -eu
out=$1
cluster=${2:-examples/laptop-qwen2-0.5b/cluster.yaml}
fathom=("${FATHOM:-./fathom}" -q)
steps=${STEPS:-100}
mkdir -p "$out"

"${fathom[@]}" plan "$cluster" -f json=/dev/null -o "$out/plan.json" || true
"${fathom[@]}" validate "$out/plan.json" --steps "$steps" --save-profile "$out/profile.json" -f "json=$out/unmeasured.json" || true

# Tokens in, tokens out, requests in flight: shapes that the profile was not fitted to. About one request less decodes at once.
while read -r input output requests; do
  load=$out/$input-$output-$requests
  sed -e "s/^  input_tokens: .*/  input_tokens: $input/; s/^  output_tokens: .*/  output_tokens: $output/" \
    -e "s/^  concurrency: .*/  concurrency: $requests/; s/^  slo: .*/  slo: {ttft: 60 s, tpot: 10 s}/" "$cluster" >"$load.yaml"
  "${fathom[@]}" plan "$load.yaml" --profile "$out/profile.json" -f json=/dev/null -o "$load.plan.json" || true
  for run in 1 2 3; do "${fathom[@]}" validate "$load.plan.json" --steps "$steps" -f "json=$load.$run" || true; done
  python3 - "$load" <<'KEEP'
import json, os, sys
runs = sorted((f"{sys.argv[1]}.{i}" for i in (1, 2, 3)), key=lambda path: json.load(open(path))["step"]["measured_s"])
os.rename(runs[1], sys.argv[1] + ".json")
KEEP
  rm -f "$load.yaml" "$load.plan.json" "$load".[123]
done <<'END'
64 64 1
128 128 6
500 200 7
1500 400 6
300 200 11
700 300 10
900 300 12
END
rm "$out/plan.json"

python3 - "$out" <<'END'
import glob, json, sys
print(f"{'sequences x context':>20} {'predicted':>10} {'measured':>10} {'error':>7}  band")
for path in sorted(glob.glob(sys.argv[1] + "/*-*-*.json")):
    v = json.load(open(path))
    s, run = v["step"], v["run"]
    print(f"{run['sequences']:>8.0f} x {run['context']:>8.0f}  {s['predicted_s']*1e3:>8.1f}ms {s['measured_s']*1e3:>8.1f}ms"
          f" {s['error']*100:>+6.1f}%  {s['band_s']['min']*1e3:.1f} to {s['band_s']['max']*1e3:.1f} ms,"
          f" {'inside' if v['verdict']['passed'] else 'outside'}")
END
