// Built where MPI was not found; mpi*.cpp otherwise.
#include "comm/communicator.h"

namespace fathom {

bool mpi_available() { return false; }

void run_on_mpi(const CommunicatorOptions&, const std::function<void(Communicator&)>&) {
  throw RankFailure(
      "this is one of several processes that mpirun started, and fathom was built without MPI: install libopenmpi-dev "
      "and build it again");
}

}  // namespace fathom
