"""The probe's figures of the first GPU and of all of them together beside those of plain loops and of PyTorch, and one run of the probe
beside the other where there are two. Usage: probe_table.py OUT_DIR"""
import glob
import json
import sys

UNITS = ("bytes_per_s", "flops_per_s", "time_s", "power_w")


def figure(result):
    return next((result[unit]["median"] for unit in UNITS if unit in result), None)


def record(path):
    figures = {}
    for r in json.load(open(path))["results"]:
        if figure(r) is None or r["case"].startswith("host."):
            continue
        protocol = r["protocol"]
        shape = " ".join(f"{k}={v}" for k, v in sorted(r.get("shape", {}).items()))
        key = (r["case"], r["device"], shape, protocol.get("engine"), protocol.get("pattern"), protocol.get("launch"))
        figures[key] = figure(r)
    return figures


def lines(path):
    """Of several ways to do the same the fastest: they are rates."""
    found = {}
    for line in open(path):
        name, _, value = line.strip().rpartition(" ")
        try:
            figure = float(value)
        except ValueError:
            continue
        name, _, way = name.partition(" by=")
        found[name] = max(figure, found.get(name, figure)) if way else figure
    return found


def name_of(key):
    """As the loops call it; empty where they have no such figure."""
    case, device, shape, engine, pattern, launch = key
    words = dict(word.split("=") for word in shape.split() if "=" in word)
    if case == "collective.all_reduce":
        return f"{case} bytes={words['bytes']} launch=eager" if launch == "eager" else ""
    if device != "gpu0":
        return ""
    if case == "gpu.gemm":
        return f"{case} dtype={words['dtype']} pattern={pattern}"
    large = int(words.get("bytes", 0)) >= 1 << 28
    return case if large and case in ("gpu.memory.read", "gpu.memory.copy", "gpu.copy.h2d", "gpu.copy.d2h") else ""


folder = sys.argv[1]
runs = [record(path) for path in sorted(glob.glob(f"{folder}/probe-*.json"))]
loops = [lines(path) for path in sorted(glob.glob(f"{folder}/loops-*.txt"))]
torch = [lines(path) for path in sorted(glob.glob(f"{folder}/torch-*.txt"))]


def mean(values):
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def beside(mine, theirs):
    return f"{theirs:12.4g} {100 * (mine / theirs - 1):+6.1f} %" if theirs else " " * 21


print(f"{f'means of {len(runs)} run(s)':48} {'probe':>12} {'plain loop':>21} {'PyTorch':>21}")
for key in runs[0]:
    name = name_of(key)
    if not name or key not in runs[-1] or not any(name in table for table in loops + torch):
        continue
    mine = mean(run[key] for run in runs)
    print(f"{name:48} {mine:12.4g} {beside(mine, mean(t.get(name) for t in loops))} {beside(mine, mean(t.get(name) for t in torch))}")
if len(runs) < 2:
    sys.exit(0)
apart = sorted((abs(runs[1][key] / value - 1), key) for key, value in runs[0].items() if key in runs[1])
share = lambda part: 100 * apart[min(int(len(apart) * part), len(apart) - 1)][0]
print(f"two runs of the probe: {len(apart)} figures, apart by {share(0.5):.2f} % (median), {share(0.9):.2f} % (p90), {100 * apart[-1][0]:.1f} % (most: {apart[-1][1][0]} {apart[-1][1][2]})")
