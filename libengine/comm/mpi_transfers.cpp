#include "comm/mpi_transfers.h"

#include <fmt/format.h>

#include <algorithm>

#include "comm/communicator.h"

namespace fathom {
namespace {

// MPI counts in int, so long messages go in pieces. A message of no bytes is one piece.
constexpr std::size_t kPiece = std::size_t{1} << 30;

}  // namespace

void check_mpi(int code) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw RankFailure(text);
}

void MpiTransfers::send(int to, int tag, const void* data, std::size_t bytes) {
  const auto* first = static_cast<const std::byte*>(data);
  do {
    const std::size_t piece = std::min(bytes, kPiece);
    Transfer& transfer =
        transfers_.emplace_back(Transfer{.request = MPI_REQUEST_NULL, .peer = to, .is_receive = false, .bytes = piece});
    check_mpi(MPI_Isend(first, static_cast<int>(piece), MPI_BYTE, to, tag, MPI_COMM_WORLD, &transfer.request));
    first += piece;
    bytes -= piece;
  } while (bytes > 0);
}

void MpiTransfers::receive(int from, int tag, void* data, std::size_t bytes) {
  auto* first = static_cast<std::byte*>(data);
  do {
    const std::size_t piece = std::min(bytes, kPiece);
    Transfer& transfer = transfers_.emplace_back(
        Transfer{.request = MPI_REQUEST_NULL, .peer = from, .is_receive = true, .bytes = piece});
    check_mpi(MPI_Irecv(first, static_cast<int>(piece), MPI_BYTE, from, tag, MPI_COMM_WORLD, &transfer.request));
    first += piece;
    bytes -= piece;
  } while (bytes > 0);
}

bool MpiTransfers::test() {
  for (; complete_ < transfers_.size(); ++complete_) {
    Transfer& transfer = transfers_[complete_];
    int is_complete = 0;
    MPI_Status status;
    const int code = MPI_Test(&transfer.request, &is_complete, &status);
    int kind = MPI_SUCCESS;
    MPI_Error_class(code, &kind);
    if (kind == MPI_ERR_TRUNCATE) {
      throw RankFailure(fmt::format("received more than {} bytes from rank {}", transfer.bytes, transfer.peer));
    }
    check_mpi(code);
    if (!is_complete) return false;
    if (!transfer.is_receive) continue;
    int bytes = 0;
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &bytes));
    if (static_cast<std::size_t>(bytes) != transfer.bytes) {
      throw RankFailure(
          fmt::format("received {} bytes from rank {}, expected {}", bytes, transfer.peer, transfer.bytes));
    }
  }
  return true;
}

int MpiTransfers::missing() const { return complete_ < transfers_.size() ? transfers_[complete_].peer : -1; }

MpiTransfers::~MpiTransfers() {
  for (Transfer& transfer : transfers_) {
    if (transfer.request == MPI_REQUEST_NULL) continue;
    if (transfer.is_receive) MPI_Cancel(&transfer.request);
    MPI_Request_free(&transfer.request);
  }
}

}  // namespace fathom
