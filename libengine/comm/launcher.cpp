// What a launcher tells its processes, whether this program was built with MPI or not: a program without it would otherwise run as often as
// it was started, each time alone.
#include <cstdlib>

#include "comm/communicator.h"

namespace fathom {
namespace {

int number_in_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::atoi(value) : 0;
}

}  // namespace

int mpi_ranks() {
  if (const int ranks = number_in_environment("OMPI_COMM_WORLD_SIZE")) return ranks;  // Open MPI's mpirun
  if (const int ranks = number_in_environment("PMI_SIZE")) return ranks;              // MPICH's, and srun --mpi=pmi2
  return std::getenv("PMIX_RANK") ? number_in_environment("SLURM_NTASKS") : 0;        // srun --mpi=pmix
}

int mpi_ranks_here() {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}) {  // Open MPI, MPICH
    if (const int ranks = number_in_environment(name)) return ranks;
  }
  return 1;
}

}  // namespace fathom
