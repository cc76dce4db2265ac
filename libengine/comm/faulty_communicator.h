// Faults for tests: a rank that hangs, throws or dies when it enters a given operator.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.h"

namespace fathom {

struct Fault {
  enum class Kind { kHang, kThrow, kKill };  // kKill ends the whole process with SIGKILL
  int rank = 0;                              // of the world
  std::string operator_name;
  int layer = -1;  // -1: any
  Kind kind = Kind::kThrow;
};

// Passes everything on; groups split from it have the same fault.
class FaultyCommunicator : public Communicator {
 public:
  FaultyCommunicator(Communicator& inner, Fault fault);  // `inner` must outlive it
  FaultyCommunicator(std::unique_ptr<Communicator> inner, Fault fault);

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  int world_rank(int rank) const override { return inner_.world_rank(rank); }

  void all_reduce(std::span<float> data) override { inner_.all_reduce(data); }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override { inner_.all_gather(mine, all); }
  std::vector<std::vector<std::byte>> all_to_all(const std::vector<std::vector<std::byte>>& send) override {
    return inner_.all_to_all(send);
  }
  void send(int to, std::span<const std::byte> data) override { inner_.send(to, data); }
  void receive(int from, std::span<std::byte> data) override { inner_.receive(from, data); }
  void barrier() override { inner_.barrier(); }
  void look() override { inner_.look(); }
  std::unique_ptr<Communicator> split(int colour, int key) override;
  void enter(std::string_view name, int layer) override;

 private:
  const std::unique_ptr<Communicator> owned_;  // null: inner_ belongs to the caller
  Communicator& inner_;
  const Fault fault_;
};

}  // namespace fathom
