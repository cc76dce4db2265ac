"""What PyTorch reaches on the first GPU, by loops between two events: lines of a name and a figure in SI units; of several ways to do the
same, `by=` which."""
import torch

ROUNDS, WARM_UP = 9, 4


def seconds(run, times=50):
    taken = []
    for round_ in range(-WARM_UP, ROUNDS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(times):
            run()
        end.record()
        end.synchronize()
        if round_ >= 0:
            taken.append(begin.elapsed_time(end) * 1e-3 / times)
    return sorted(taken)[ROUNDS // 2]


size, operations = 8192, 2.0 * 8192**3
x = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
w = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
print("gpu.gemm dtype=bf16 pattern=normal", operations / seconds(lambda: x @ w.T))
x8, w8, one = x.to(torch.float8_e4m3fn), w.to(torch.float8_e4m3fn), torch.tensor(1.0, device="cuda")
product = lambda: torch._scaled_mm(x8, w8.T, one, one, out_dtype=torch.bfloat16)
print("gpu.gemm dtype=fp8 pattern=normal", operations / seconds(product))
count = 2 << 30
a = torch.empty(count, device="cuda", dtype=torch.uint8).random_()
b = torch.empty_like(a)
print("gpu.memory.copy", 2 * count / seconds(lambda: b.copy_(a)))
floats = torch.randn(count // 4, device="cuda")
halves, words, longs = floats.view(torch.bfloat16), floats.view(torch.int32), floats.view(torch.int64)
reductions = {
    "amax-float32": floats.amax,
    "sum-float32": floats.sum,
    "norm-float32": floats.norm,
    "amax-bfloat16": halves.amax,
    "amax-int32": words.amax,
    "sum-int64": longs.sum,
    "any-int64": longs.any,
}
for name, reduce in reductions.items():  # none writes what it reads; the fastest shows the memory best
    print(f"gpu.memory.read by={name}", count / seconds(reduce))
