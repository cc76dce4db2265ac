// What ranks say to each other. Backends: threads of one process, MPI across processes and hosts.
//
// Sums are taken in rank order, 0 first, by one rank per element and then copied, so every rank holds the same bits and
// a run repeats bit for bit, whatever the backend. Every call that waits for others ends with a RankFailure when they
// do not come within the time limit: its message names the rank that is missing and the operator that waits for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct RankFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Its message names the rank at fault, which is not the one that throws.
struct RankAbsence : RankFailure {
  using RankFailure::RankFailure;
};

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int world_rank(int rank) const = 0;  // of a member of this group: messages name world ranks

  virtual void all_reduce(std::span<float> data) = 0;  // sum; the same length on every rank
  // `all` holds size() parts as long as `mine`, in rank order.
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  // send[r] goes to rank r; the result's element r is what rank r sent here. Lengths may differ and travel along.
  virtual std::vector<std::vector<std::byte>> all_to_all(const std::vector<std::vector<std::byte>>& send) = 0;
  virtual void send(int to, std::span<const std::byte> data) = 0;  // may return before it is received
  virtual void receive(int from, std::span<std::byte> data) = 0;   // in the order sent; another length is a RankFailure
  virtual void barrier() = 0;
  // For one that waits elsewhere, for a device: throws RankFailure when the run has failed.
  virtual void look() = 0;

  // Ranks that give the same colour form a group, ordered by key. Every rank of this group must call it.
  virtual std::unique_ptr<Communicator> split(int colour, int key) = 0;

  // What this rank is doing: named in other ranks' messages. `name` must outlive the program (operator names do).
  virtual void enter(std::string_view name, int layer) = 0;
};

struct CommunicatorOptions {
  std::chrono::milliseconds timeout{60'000};  // of one wait
};

// Runs `body` on `ranks` threads of this process, each with its communicator. When one throws, the others are told and
// end; the first failure is rethrown here: a RankFailure "rank 3 failed in moe.all_reduce of layer 5: …", or, for a
// wait that timed out, "rank 3 did not come to attention.all_reduce of layer 5 within 10 s (it was in attention.core of
// layer 5); rank 0 waited". An InputError is rethrown as it is.
//
// A body that never returns cannot be joined: its thread is left behind and the exception is thrown. The program should
// end then, since that body may still look at what it captured. The end counts as a wait, too: the bodies must return
// within the time limit of each other.
void run_on_threads(int ranks, const CommunicatorOptions& options, const std::function<void(Communicator&)>& body);

// MPI, where it was found at build time. `mpi_ranks()`: how many processes mpirun started, 0 without MPI or mpirun.
bool mpi_available();
int mpi_ranks();
int mpi_ranks_here();  // of them on this host; 1 when the launcher does not say
// Runs `body` as this process's rank of the world that mpirun started:
//
//   mpirun --quiet --bind-to none -n 8 --host a:4,b:4 fathom ...
//
// --quiet leaves the word to the program: otherwise mpirun adds a paragraph to every failure. --bind-to none gives a
// rank's threads more than one core. With more ranks than cores add --oversubscribe, as root --allow-run-as-root.
//
// A failure does not return. The processes tell each other, one of them prints one message, "error: rank 2 did not come
// to attention.all_reduce of layer 3 within 60 s; rank 0 waited", and ends all: mpirun's exit status is 3, and 2 for an
// InputError. A process that was killed is mpirun's to notice: its exit status is then 137 (128 + SIGKILL), and the
// others say "ended by the launcher while waiting in attention.all_reduce of layer 3 for rank 2 (killed?)". When a host
// cannot be reached any more, the message comes, and Open MPI 4.1's mpirun keeps waiting for that host until it is
// interrupted.
//
// Only the calling thread may use the communicator. May be called again; a process that never calls it needs no MPI.
void run_on_mpi(const CommunicatorOptions& options, const std::function<void(Communicator&)>& body);

}  // namespace fathom
