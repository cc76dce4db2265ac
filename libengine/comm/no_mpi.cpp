// Built where MPI was not found; mpi*.cpp otherwise.
#include "comm/communicator.h"

namespace fathom {

bool mpi_available() { return false; }

int mpi_ranks() { return 0; }

int mpi_ranks_here() { return 1; }

void run_on_mpi(const CommunicatorOptions&, const std::function<void(Communicator&)>&) {
  throw RankFailure("this program was built without MPI: install libopenmpi-dev and build it again");
}

}  // namespace fathom
