#include <fmt/format.h>

#include <thread>

#include "gpu_cases/gpu_case.h"

namespace fathom::probe {

namespace {

std::vector<Result> of_one(Card& card, const std::string& name,
                           const std::function<std::vector<Result>(Card&)>& measure) {
  std::vector<Result> results;
  attempt(results, name, card, [&] {
    card.use();
    results = measure(card);
  });
  return results;
}

std::vector<Result> joined(std::vector<std::vector<Result>> parts) {
  std::vector<Result> all;
  for (std::vector<Result>& part : parts) {
    for (Result& result : part) all.push_back(std::move(result));
  }
  return all;
}

}  // namespace

std::vector<Result> on_every_card(const Cards& cards, const std::string& name,
                                  const std::function<std::vector<Result>(Card&)>& measure) {
  std::vector<std::vector<Result>> parts(cards.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < cards.size(); ++i) {
    threads.emplace_back([&, i] { parts[i] = of_one(*cards[i], name, measure); });
  }
  for (std::thread& thread : threads) thread.join();
  return joined(std::move(parts));
}

std::vector<Result> in_turn(const Cards& cards, const std::string& name,
                            const std::function<std::vector<Result>(Card&)>& measure) {
  std::vector<std::vector<Result>> parts;
  for (const auto& card : cards) parts.push_back(of_one(*card, name, measure));
  return joined(std::move(parts));
}

void attempt(std::vector<Result>& results, const std::string& name, const Card& card,
             const std::function<void()>& measure) {
  const auto missing = [&](Status status, const char* why) {
    results.push_back(without_figure(name, card.device(), status, why));
  };
  try {
    measure();
  } catch (const std::bad_alloc&) {
    missing(Status::kNotRun, "there is not enough free memory on the device");
  } catch (const std::exception& error) {
    missing(Status::kUnknown, error.what());
  }
}

std::string our_kernels() { return "fathom kernels " FATHOM_KERNELS_VERSION; }

Result card_result(std::string name, const Card& card, Unit unit, std::map<std::string, std::string> shape) {
  Result result = without_figure(std::move(name), card.device(), Status::kNotRun, "");
  result.unit = unit;
  result.shape = std::move(shape);
  return result;
}

std::vector<Card*> all_of(const Cards& cards) {
  std::vector<Card*> all;
  for (const auto& card : cards) all.push_back(card.get());
  return all;
}

std::string devices_text(const std::vector<Card*>& cards) {
  std::string text;
  for (const Card* card : cards) text += (text.empty() ? "" : ",") + card->device();
  return text;
}

Result collective_result(const char* name, const std::vector<Card*>& cards, std::size_t bytes) {
  Result r =
      card_result(name, *cards.front(), Unit::kTime,
                  {{"dtype", "bf16"}, {"bytes", fmt::format("{}", bytes)}, {"ranks", fmt::format("{}", cards.size())}});
  r.device = devices_text(cards);
  return r;
}

bool let_reach(const Card& from, const Card& to) {
  int possible = 0;
  cuda_ok(cudaDeviceCanAccessPeer(&possible, from.ordinal(), to.ordinal()), "cudaDeviceCanAccessPeer");
  if (possible == 0) return false;
  from.use();
  const cudaError_t status = cudaDeviceEnablePeerAccess(to.ordinal(), 0);
  if (status == cudaErrorPeerAccessAlreadyEnabled) {
    cudaGetLastError();  // else the next call would report it
  } else {
    cuda_ok(status, "cudaDeviceEnablePeerAccess");
  }
  return true;
}

void check(Result& result, const std::string& method, double worst, double most) {
  result.correctness = Correctness{.method = method, .worst_error = worst, .correct = worst <= most};
  if (result.correctness->correct) return;
  result.status = Status::kIncorrect;
  result.why = fmt::format("off by {:.2g}: {}", worst, method);
}

}  // namespace fathom::probe
