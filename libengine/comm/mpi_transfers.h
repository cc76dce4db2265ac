// The sends and receives of one call, under way at the same time.
#pragma once

#include <cstddef>
#include <vector>

#include "comm/mpi_api.h"

namespace fathom {

class MpiTransfers {
 public:
  MpiTransfers() = default;
  ~MpiTransfers();  // receives that are not complete are cancelled, since their memory goes away
  MpiTransfers(const MpiTransfers&) = delete;
  MpiTransfers& operator=(const MpiTransfers&) = delete;

  // `data` must stay until the transfer is complete. Ranks are the world's.
  void send(int to, int tag, const void* data, std::size_t bytes);
  void receive(int from, int tag, void* data, std::size_t bytes);

  // Lets MPI work; true when all are complete. Throws RankFailure when a message has another length than expected.
  bool test();
  int missing() const;  // the peer of the first that is not complete; -1: none

 private:
  struct Transfer {
    MPI_Request request;
    int peer;
    bool is_receive;
    std::size_t bytes;
  };

  std::vector<Transfer> transfers_;
  std::size_t complete_ = 0;  // the first so many
};

void check_mpi(int code);  // throws RankFailure with MPI's text

}  // namespace fathom
