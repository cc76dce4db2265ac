// What stands for the GPUs where this program was built without CUDA.
#include "machine/machine.h"

namespace fathom::probe {

std::unique_ptr<Machine> gpu_machine(const Catalog&, const ProbeOptions&) { return without_gpus(kBuiltWithoutCuda); }

}  // namespace fathom::probe
