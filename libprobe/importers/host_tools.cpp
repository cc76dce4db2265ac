// fio, iperf3 and perftest: storage and network.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/case_units.h"
#include "importers/importers.h"
#include "importers/tool_json.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

std::string whole(double number) { return fmt::format("{:.0f}", number); }

// "4k", "1m", "4096", "4096B", "(R) 4096B-4096B" is "4096": fio's units are binary unless asked otherwise.
std::string block_bytes(const std::string& text) {
  const auto number = scan_number(text);
  if (!number || !number->in_range) return text;
  std::string unit(number->rest.substr(0, 1));
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const double factor = unit == "k" ? 1024 : unit == "m" ? 1048576 : unit == "g" ? 1073741824 : 1;
  return whole(number->value * factor);
}

// An option of the job, or of all jobs.
std::string option(const Node& root, const Node& job, const char* key) {
  const Node own = job.find({"job options", key});
  return own ? own.text() : root.find({"global options", key}).text();
}

Result fio_result(const Node& root, const Node& job, const char* direction) {
  const Node side = job.need({direction});
  const std::string pattern = option(root, job, "rw"), block = block_bytes(option(root, job, "bs"));
  const bool random = pattern.starts_with("rand");
  Result r =
      without_figure(fmt::format("host.storage.{}{}", random ? "random_" : "", direction), "host", Status::kPassed, "");
  if (!block.empty()) r.shape["block_bytes"] = block;
  for (const auto& [key, name] :
       {std::pair("iodepth", "depth"), std::pair("numjobs", "jobs"), std::pair("rw", "pattern")}) {
    if (const std::string value = option(root, job, key); !value.empty()) r.shape[name] = value;
  }
  if (const std::string size = block_bytes(option(root, job, "size")); scan_number(size) && size.back() != '%')
    r.shape["file_bytes"] = size;
  r.unit = unit_of(r).value_or(Unit::kOperationsPerSecond);
  sum_up(r, {side.need({r.unit == Unit::kOperationsPerSecond ? "iops" : "bw_bytes"}).number()});
  r.protocol.engine = root.find({"fio version"}).text();
  r.protocol.statistic = "mean";
  r.protocol.cache = option(root, job, "direct") == "1" ? "O_DIRECT" : "page cache";
  if (const auto p99 = side.find({"clat_ns", "percentile", "99.000000"}).maybe_number(); p99 && *p99 > 0) {
    r.notes.push_back("99 % of operations within " + to_string(Seconds(*p99 * 1e-9)));
  }
  if (r.protocol.cache != "O_DIRECT") r.notes.emplace_back("without direct=1 memory may have answered");
  return r;
}

// A node that talks to itself sends nothing through a card, under whatever name it calls itself.
bool is_loop(const Node& root) {
  const auto is_local = [](const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.") || host.starts_with("::ffff:127.");
  };
  for (const Node& stream : root.find({"start", "connected"}).items()) {
    const std::string remote = stream.find({"remote_host"}).text();
    if (is_local(remote) || (!remote.empty() && remote == stream.find({"local_host"}).text())) return true;
  }
  return is_local(root.find({"start", "connecting_to", "host"}).text());
}

// The median over the intervals, and without them what the sums say.
Result iperf3_result(const Node& root, const std::string& engine, bool reverse) {
  Result r = without_figure("host.network", "host", Status::kPassed, "");
  r.shape = {{"direction", reverse ? "receive" : "send"}};
  if (const auto streams = root.find({"start", "test_start", "num_streams"}).maybe_number())
    r.shape["streams"] = whole(*streams);
  if (const std::string protocol = root.find({"start", "test_start", "protocol"}).text(); !protocol.empty())
    r.shape["transport"] = protocol;
  std::vector<double> rates;
  for (const Node& interval : root.find({"intervals"}).items()) {
    if (interval.find({"sum", "omitted"}).text() == "true") continue;
    rates.push_back(interval.need({"sum", "bits_per_second"}).number() / 8);
  }
  const double received = root.need({"end", "sum_received", "bits_per_second"}).number() / 8;
  sum_up(r, rates.empty() ? std::vector{received} : rates);
  r.protocol.engine = engine;
  r.protocol.launch = "tcp";
  const auto retransmits = root.find({"end", "sum_sent", "retransmits"}).maybe_number();
  if (retransmits && *retransmits > 0)
    r.notes.push_back(whole(*retransmits) + (*retransmits == 1 ? " segment" : " segments") + " sent again");
  return r;
}

}  // namespace

std::vector<Result> results_of_fio(const Document& fio) {
  const Node root = root_of(fio);
  std::vector<Result> results;
  for (const Node& job : root.need({"jobs"}).items()) {
    if (const auto error = job.find({"error"}).maybe_number(); error && *error != 0) {
      Result r =
          without_figure("host.storage", "host", Status::kUnknown,
                         fmt::format("fio ended job {} with error {:.0f}", job.find({"jobname"}).text(), *error));
      r.protocol.engine = root.find({"fio version"}).text();
      results.push_back(std::move(r));
      continue;
    }
    for (const char* direction : {"read", "write"}) {
      const Node done = job.find({direction, "iops"});
      if (!done) continue;
      if (done.number() < 0)
        done.fail(fmt::format("{} is {}, and operations per second are 0 or more", in_quotes(done.way), done.text()));
      if (done.number() > 0) results.push_back(fio_result(root, job, direction));
    }
  }
  if (results.empty()) root.fail("fio's jobs have neither read nor written anything");
  return results;
}

std::vector<Result> results_of_iperf3(const Document& iperf3) {
  const Node root = root_of(iperf3);
  if (const std::string error = root.find({"error"}).text(); !error.empty()) {
    return {without_figure("host.network", "host", Status::kUnknown, "iperf3: " + error)};
  }
  if (is_loop(root)) {
    return {without_figure("host.network", "host", Status::kNotSupported,
                           "both ends are this node: nothing went through a network card")};
  }
  const std::string engine = root.find({"start", "version"}).text();
  const auto reverse = root.find({"start", "test_start", "reverse"}).maybe_number();
  return {iperf3_result(root, engine, reverse && *reverse != 0)};
}

namespace {

// BW_average is in Gb/s with --report_gbits and in MiB/s without; messages per second (in millions) times their size tells which.
BytesPerSecond bandwidth_of(const Node& row, Result& r) {
  const double figure = row.need({"BW_average"}).number();
  const auto rate = row.find({"MsgRate"}).maybe_number(), size = row.find({"MsgSize"}).maybe_number();
  if (!rate || !size || !(*rate > 0) || !(*size > 0)) {
    r.notes.emplace_back("taken as Gb/s: the file does not tell whether --report_gbits was given");
    return BytesPerSecond(figure * 1e9 / 8);
  }
  const double moved = *rate * 1e6 * *size;
  const auto off = [&](double unit) { return std::abs(std::log(figure * unit / moved)); };
  return BytesPerSecond(figure * (off(1048576) < off(1e9 / 8) ? 1048576 : 1e9 / 8));
}

}  // namespace

std::vector<Result> results_of_perftest(const Document& perftest) {
  const Node root = root_of(perftest), measured = root.need({"results"});
  const std::string test = root.find({"test_info", "test"}).text();
  std::vector<Result> results;
  const std::vector<Node> rows = measured.items();
  for (const Node& row : rows.empty() ? std::vector{measured} : rows) {
    const Node bandwidth = row.find({"BW_average"}), typical = row.find({"t_typical"});
    Result r = without_figure(bandwidth ? "host.rdma" : "host.rdma.latency", "host", Status::kPassed, "");
    if (!test.empty()) r.shape["test"] = test;
    if (const auto size = row.find({"MsgSize"}).maybe_number()) r.shape["bytes"] = whole(*size);
    r.unit = unit_of(r).value_or(Unit::kTime);
    if (!bandwidth && !typical) row.fail("expected \"BW_average\" or \"t_typical\" here");
    sum_up(r, {bandwidth ? bandwidth_of(row, r).value : typical.number() * 1e-6});
    r.protocol.engine = "perftest";
    r.protocol.statistic = bandwidth ? "mean" : "median";
    results.push_back(std::move(r));
  }
  return results;
}

}  // namespace fathom::probe
