// What stands for the GPUs until their cases are built: every one of them is said to be missing, none is passed over.
#include "machine/machine.h"

namespace fathom::probe {

namespace {

constexpr const char* kGpuCases[] = {"gpu.memory", "gpu.gemm", "gpu.attention", "gpu.launch",
                                     "gpu.copy",   "gpu.peer", "collective",    "gpu.power"};

class NoGpu : public Machine {
 public:
  void describe(MachineRecord&) const override {}
  std::vector<Case> cases() const override {
    std::vector<Case> cases;
    for (const char* name : kGpuCases) {
      cases.push_back({name, [name] {
                         return std::vector{without_figure(name, "gpu", Status::kNotSupported,
                                                           "not supported yet: cases of CUDA and NCCL")};
                       }});
    }
    return cases;
  }
};

}  // namespace

std::unique_ptr<Machine> gpu_machine() { return std::make_unique<NoGpu>(); }

}  // namespace fathom::probe
