#include "checklist/network_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "checklist/figures.h"

namespace fathom::probe {

namespace {

// iperf3 runs its streams in one thread before 3.16, which ends near 36 Gb/s on usual hosts: no more than 30 Gb/s can be asked of it.
constexpr BytesPerSecond kOneThread(30e9 / 8);

bool is_single_threaded(const std::string& engine) {
  int major = 0, minor = 0;
  return std::sscanf(engine.c_str(), "iperf %d.%d", &major, &minor) == 2 && (major < 3 || (major == 3 && minor < 16));
}

double gigabits(const Result& r) { return r.figure->median * 8e-9; }

void judge_tcp(const MachineRecord& record, BytesPerSecond least, ChecklistLine& line) {
  const std::vector<Result> results = results_named(record, "host.network");
  const auto of_direction = [&](const char* direction) {
    return worst_figure(results, [&](const Result& r) { return has_shape(r, "direction", direction); });
  };
  const Result *sends = of_direction("send"), *receives = of_direction("receive");
  if (sends == nullptr || receives == nullptr) {
    nothing_measured(line, results, "start iperf3 -s on another node and name it here: --peer HOST");
    return;
  }
  const double slower = std::min(sends->figure->median, receives->figure->median);
  line.measured = fmt::format("{:.1f} Gb/s out, {:.1f} Gb/s in ({})", gigabits(*sends), gigabits(*receives),
                              sends->protocol.engine);
  const bool host_limited = least > kOneThread && (is_single_threaded(sends->protocol.engine) ||
                                                   is_single_threaded(receives->protocol.engine));
  if (!has_data(sends->status) || !has_data(receives->status)) {
    line.status = has_data(sends->status) ? receives->status : sends->status;
    line.why = has_data(sends->status) ? receives->why : sends->why;
  } else if (slower < least.value && host_limited) {
    line.status = Status::kUnknown;
    line.why = "iperf3 before 3.16 has one thread and cannot show so much: limited by the host";
    line.next =
        "install iperf3 3.16 or later on both nodes, or measure with ib_write_bw and ib_read_bw and --import them";
  } else if (slower < least.value) {
    line.status = Status::kFailed;
    line.why = "below what is required";
    line.next = "look at link speed, MTU and the NUMA node of the card (ethtool, numactl)";
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// RDMA: a node writes and sends to its peer, and reads from it

enum class Way { kOut, kIn };

bool goes(const Result& r, Way way) {
  const auto test = r.shape.find("test");
  if (r.name != "host.rdma" || test == r.shape.end()) return false;
  const auto has = [&](const char* word) { return test->second.find(word) != std::string::npos; };
  return way == Way::kIn ? has("Read") : has("Write") || has("Send");
}

// Small messages show no bandwidth: of the largest that were sent, the worst figure.
const Result* of_largest_messages(const std::vector<Result>& results, Way way) {
  double most = 0;
  const auto size = [](const Result& r) { return number_of(r, "bytes").value_or(0); };
  for (const Result& r : results) {
    if (goes(r, way)) most = std::max(most, size(r));
  }
  return worst_figure(results, [&](const Result& r) { return goes(r, way) && size(r) >= most; });
}

std::string rdma_text(const Result& r, const char* way) {
  return fmt::format("{:.1f} Gb/s {} by RDMA ({} {})", gigabits(r), way, r.protocol.engine, r.shape.at("test"));
}

// False: no RDMA was measured.
bool judge_rdma(const MachineRecord& record, BytesPerSecond least, ChecklistLine& line) {
  const std::vector<Result> results = results_named(record, "host.rdma");
  const Result *out = of_largest_messages(results, Way::kOut), *in = of_largest_messages(results, Way::kIn);
  if (out == nullptr && in == nullptr) return false;
  line.status = Status::kPassed;
  if (out != nullptr) line.measured = rdma_text(*out, "out");
  if (in != nullptr) line.measured += (line.measured.empty() ? "" : ", ") + rdma_text(*in, "in");
  for (const Result* r : {out, in}) {
    if (r == nullptr) continue;
    if (!has_data(r->status)) {
      line.status = r->status;
      line.why = r->why;
      return true;
    }
    if (r->figure->median >= least.value) continue;
    line.status = Status::kFailed;
    line.why = "below what is required";
    line.next = "look at the port's rate and errors (ibstat, rdma statistic) and the PCIe slot of the card";
  }
  if (line.status == Status::kPassed && (out == nullptr || in == nullptr)) {
    line.status = Status::kUnknown;
    line.why = "only one way was measured";
    line.next =
        fmt::format("measure the other way with {} and --import it, too", in == nullptr ? "ib_read_bw" : "ib_write_bw");
  }
  return true;
}

}  // namespace

// TCP decides where it tells anything, since it is what the nodes talk by; a void figure is never a pass.
ChecklistLine network_line(const MachineRecord& record, const Requirements& required) {
  const BytesPerSecond least = required.network.value;
  ChecklistLine tcp{.id = "network",
                    .item = "bandwidth between nodes",
                    .required = fmt::format("{:.0f} Gb/s each way", least.value * 8e-9),
                    .status = Status::kPassed,
                    .measured = {},
                    .why = {},
                    .next = {}};
  ChecklistLine rdma = tcp;
  judge_tcp(record, least, tcp);
  if (!judge_rdma(record, least, rdma)) return tcp;
  const bool tells = tcp.status == Status::kPassed || tcp.status == Status::kFailed ||
                     tcp.status == Status::kImplausible || tcp.status == Status::kIncorrect;
  ChecklistLine line = tells ? tcp : rdma;
  const ChecklistLine& other = tells ? rdma : tcp;
  if (!other.measured.empty()) line.measured += "; " + other.measured;
  return line;
}

}  // namespace fathom::probe
