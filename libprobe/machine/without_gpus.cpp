// Every case of GPUs is said to be missing, none is passed over.
#include "machine/machine.h"

namespace fathom::probe {

namespace {

class WithoutGpus : public Machine {
 public:
  explicit WithoutGpus(std::string why) : why_(std::move(why)) {}
  void describe(MachineRecord&) const override {}
  std::vector<Case> cases() const override {
    std::vector<Case> cases;
    for (const std::string& name : gpu_case_names()) {
      cases.push_back(
          {name, [name, why = why_] { return std::vector{without_figure(name, "gpu", Status::kNotSupported, why)}; }});
    }
    return cases;
  }

 private:
  std::string why_;
};

}  // namespace

std::vector<std::string> gpu_case_names() {
  return {"gpu.power",     "gpu.memory", "gpu.gemm", "gpu.linear", "gpu.experts",
          "gpu.attention", "gpu.launch", "gpu.copy", "gpu.peer",   "collective"};
}

std::unique_ptr<Machine> without_gpus(const std::string& why) { return std::make_unique<WithoutGpus>(why); }

}  // namespace fathom::probe
