#!/usr/bin/env bash
# Holds the simulation against the engine: measures this machine's rates, then lets requests come at 30, 60 and 85 % of the
# highest rate that the simulation finds within a service level, and serves them:
#   docs/measurements/arrivals.sh OUT_DIR [CLUSTER]                   (from the repository root; the host's engine)
#   BACKEND=cuda docs/measurements/arrivals.sh OUT_DIR [CLUSTER]      (without CLUSTER: Llama-3.1-8B bf16 on one GPU)
# Leaves profile.json, plan.json, sweep.json, one JSON per load, and a table on stdout. Exit code 1 when a percentile is outside of
# its tolerance. Rest the machine meanwhile.
#   BACKEND  host or cuda; FATHOM: the program; without it one is built in build/arrivals
#   SECONDS_PER_LOAD, STEPS, LOADS (shares of the highest rate), INPUT and OUTPUT (tokens, as in a cluster file), TOLERANCE (P50,P99)
set -eu
out=$1
cluster=${2:-}
backend=${BACKEND:-host}
steps=${STEPS:-24}
loads=${LOADS:-30 60 85}
if [ "$backend" = cuda ]; then
  duration=${SECONDS_PER_LOAD:-25}
  input=${INPUT:-"{mean: 512, p99: 1500}"}
  output=${OUTPUT:-"{mean: 128, p99: 400}"}
else
  duration=${SECONDS_PER_LOAD:-65}
  input=${INPUT:-"{mean: 128, p99: 400}"}
  output=${OUTPUT:-"{mean: 32, p99: 100}"}
fi
tolerance=${TOLERANCE:-0.10,0.20}
mkdir -p "$out"

if [ -z "${FATHOM:-}" ]; then
  cmake -S . -B build/arrivals -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF >"$out/build.log"
  cmake --build build/arrivals >>"$out/build.log"
  FATHOM=build/arrivals/fathom
fi
fathom=("$FATHOM" -q)

if [ -z "$cluster" ] && [ "$backend" = cuda ]; then
  . docs/measurements/gpus.sh
  cluster=$out/pinned.yaml
  cluster llama-3.1-8b bf16 64 512 128 >"$cluster"
fi
cluster=${cluster:-examples/laptop-qwen2-0.5b/cluster.yaml}

sed -e "s/^  input_tokens: .*/  input_tokens: $input/; s/^  output_tokens: .*/  output_tokens: $output/" \
  -e "/^  slo: /d" "$cluster" >"$out/cluster.yaml"
"${fathom[@]}" plan "$out/cluster.yaml" -f json=/dev/null -o "$out/unmeasured.json"
"${fathom[@]}" validate "$out/unmeasured.json" --backend "$backend" --steps "$steps" --save-profile "$out/profile.json" -f json=/dev/null || true
"${fathom[@]}" plan "$out/cluster.yaml" --profile "$out/profile.json" -f json=/dev/null -o "$out/plan.json"
rm -f "$out/unmeasured.json" "$out/pinned.yaml"

# The service level: nine of ten answers come at most three times as slowly, and begin six times as late, as on an idle machine.
read -r ttft tpot low high <<<"$("${fathom[@]}" simulate "$out/plan.json" --rate 0.001 --requests 500 -f json | python3 -c '
import json, sys
idle = json.load(sys.stdin)
alone = 1 / idle["e2e_s"]["mean"]  # requests/s when one follows the other
print(6 * idle["ttft_s"]["p50"], 3 * idle["tpot_s"]["p50"], alone / 10, alone * 10)')"
"${fathom[@]}" simulate "$out/plan.json" --requests 4000 --ttft "$ttft s" --tpot "$tpot s" --percentile 90 \
  --sweep "rate=$low:$high:8" -f "json=$out/sweep.json"

failed=0
for load in $loads; do
  read -r rate requests <<<"$(python3 -c '
import json, sys
rate = json.load(open(sys.argv[1]))["sweep"]["highest_requests_per_s"] * float(sys.argv[2]) / 100
print(f"{rate:.4g}", max(20, round(rate * float(sys.argv[3]))))' "$out/sweep.json" "$load" "$duration")"
  "${fathom[@]}" validate "$out/plan.json" --backend "$backend" --rate "$rate" --requests "$requests" --tolerance "$tolerance" \
    -f "json=$out/load-$load.json" -f "text=$out/load-$load.txt" || failed=1
done

python3 - "$out" $loads <<'END'
import json, sys
print(f"{'load':>5} {'requests/s':>10} {'n':>5} {'busy':>5}  " + "  ".join(
    f"{key + ' ' + p:>26}" for key in ("ttft", "tpot", "e2e") for p in ("p50", "p99")))
for load in sys.argv[2:]:
    v = json.load(open(f"{sys.argv[1]}/load-{load}.json"))
    cells = []
    for key in ("ttft_s", "tpot_s", "e2e_s"):
        for p in ("p50", "p99"):
            t = v[key]
            cells.append(f"{t['predicted'][p]*1e3:8.1f} {t['measured'][p]*1e3:8.1f} ms {t['error'][p]*100:+5.1f}%")
    rate = v["arrivals"].split(",")[1].split()[0]
    print(f"{load:>4}% {rate:>10} {v['run']['measured']:>5} {v['utilisation']['predicted']*100:>4.0f}%  " + "  ".join(cells))
    kinds = {}
    for s in v["steps"]:
        k = kinds.setdefault(s["kind"], [0, 0, 0])
        for i, key in enumerate(("count", "predicted_s", "measured_s")):
            k[i] += s[key]
    print("      steps, measured against predicted: " + ", ".join(
        f"{n} {kind} {(m / p - 1)*100:+.1f}%" for kind, (n, p, m) in kinds.items()))
END
exit $failed
