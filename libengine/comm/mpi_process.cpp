// The part of communicator.h that is about processes which mpirun started.
#include <cstdlib>
#include <exception>
#include <numeric>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/mpi_api.h"
#include "comm/mpi_communicator.h"
#include "comm/mpi_session.h"
#include "comm/rank_messages.h"
#include "comm/sigterm_watch.h"
#include "input/error.h"

namespace fathom {
namespace {

// MPI can be initialised once, so it stays until the program exits.
void initialise() {
  static bool is_initialised = false;
  if (is_initialised) return;
  is_initialised = true;
  // Containers forbid a process to read another's memory, and Open MPI notices only when the first long message fails.
  setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
  // MpiSession sleeps when it has to wait. A look that yields, which mpirun orders when there are more ranks than
  // cores, loses a time slice to any other program: 4 ms for each all_reduce instead of 0.6 on two busy cores.
  setenv("OMPI_MCA_mpi_yield_when_idle", "0", 1);
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  std::atexit([] { MPI_Finalize(); });
}

}  // namespace

bool mpi_available() { return true; }

void run_on_mpi(const CommunicatorOptions& options, const std::function<void(Communicator&)>& body) {
  if (mpi_ranks() == 0) throw RankFailure("this process was not started by mpirun");
  initialise();
  MpiSession session(options.timeout);
  std::vector<int> world_ranks(static_cast<std::size_t>(session.size()));
  std::iota(world_ranks.begin(), world_ranks.end(), 0);
  const SigtermWatch watch;
  try {
    MpiCommunicator world(session, world_ranks, session.rank(), 0);
    body(world);
    world.enter("the end", -1);  // MPI_Finalize would wait without a limit
    world.barrier();
    session.finish_sends();
  } catch (const InputError& error) {
    session.end_process(render(error), 2);
  } catch (const RankAbsence& error) {
    session.end_process(std::string("error: ") + error.what(), 3);
  } catch (const std::exception& error) {
    session.end_process("error: " + session.failure(error.what()), 3);
  } catch (...) {
    session.end_process("error: " + session.failure("an unknown exception"), 3);
  }
}

}  // namespace fathom
