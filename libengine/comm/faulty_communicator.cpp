#include "comm/faulty_communicator.h"

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <utility>

namespace fathom {

FaultyCommunicator::FaultyCommunicator(Communicator& inner, Fault fault) : inner_(inner), fault_(std::move(fault)) {}

FaultyCommunicator::FaultyCommunicator(std::unique_ptr<Communicator> inner, Fault fault)
    : owned_(std::move(inner)), inner_(*owned_), fault_(std::move(fault)) {}

std::unique_ptr<Communicator> FaultyCommunicator::split(int colour, int key) {
  return std::make_unique<FaultyCommunicator>(inner_.split(colour, key), fault_);
}

void FaultyCommunicator::enter(std::string_view name, int layer) {
  inner_.enter(name, layer);
  if (world_rank(rank()) != fault_.rank || name != fault_.operator_name) return;
  if (fault_.layer >= 0 && layer != fault_.layer) return;
  switch (fault_.kind) {
    case Fault::Kind::kHang:
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    case Fault::Kind::kThrow:
      throw std::runtime_error("a fault on purpose");
    case Fault::Kind::kKill:
      std::raise(SIGKILL);
  }
}

}  // namespace fathom
