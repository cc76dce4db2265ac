#include "serve/gather.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

namespace fathom {

namespace {

constexpr std::uint64_t kFnvStart = 0xcbf29ce484222325u;

std::uint64_t fnv(std::uint64_t hash, const void* data, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  return hash;
}

using Json = nlohmann::json;

Json to_json(const RankTrace& t) {
  Json names = Json::array(), steps = Json::array();
  for (const std::vector<TraceRow>& kind : t.row_names) {
    Json rows = Json::array();
    for (const TraceRow& row : kind) rows.push_back({row.name, static_cast<int>(row.kind)});
    names.push_back(std::move(rows));
  }
  for (const StepRecord& s : t.steps) {
    Json rows = Json::array();
    for (const RowTime& r : s.rows) rows.push_back({r.seconds, r.executions});
    steps.push_back(
        {s.round, s.sequences, s.decode_rows, s.prompt_rows, s.context, s.pairs, s.seconds, s.timed, std::move(rows)});
  }
  return {{"stage", t.stage}, {"group", t.group},   {"names", names},
          {"steps", steps},   {"rounds", t.rounds}, {"memory", t.memory}};
}

RankTrace trace_from(const Json& json) {
  RankTrace t;
  t.stage = json["stage"];
  t.group = json["group"];
  for (const Json& kind : json["names"]) {
    std::vector<TraceRow>& rows = t.row_names.emplace_back();
    for (const Json& row : kind) {
      rows.push_back({.name = row[0], .kind = static_cast<OperatorKind>(row[1].get<int>())});
    }
  }
  for (const Json& s : json["steps"]) {
    StepRecord& step = t.steps.emplace_back();
    step = {.round = s[0],
            .sequences = s[1],
            .decode_rows = s[2],
            .prompt_rows = s[3],
            .context = s[4],
            .pairs = s[5],
            .seconds = s[6],
            .timed = s[7],
            .rows = {}};
    for (const Json& r : s[8]) step.rows.push_back({.seconds = r[0], .executions = r[1]});
  }
  t.rounds = json["rounds"].get<std::vector<double>>();
  t.memory = json["memory"].get<std::map<std::string, std::int64_t>>();
  return t;
}

Json keyed_by_request(const std::map<int, std::vector<float>>& rows) {
  Json list = Json::array();
  for (const auto& [request, values] : rows) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
    list.push_back({request, Json::binary({bytes, bytes + values.size() * sizeof(float)})});
  }
  return list;
}

std::map<int, std::vector<float>> rows_from(const Json& list) {
  std::map<int, std::vector<float>> rows;
  for (const Json& entry : list) {
    const std::vector<std::uint8_t>& bytes = entry[1].get_binary();
    std::vector<float>& values = rows[entry[0]];
    values.resize(bytes.size() / sizeof(float));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  }
  return rows;
}

}  // namespace

// FNV-1a over whole logits instead of bytes: a vocabulary of 150,000 then takes 0.2 ms, not 0.7 ms.
void RankFindings::hash_row(int request, const float* row, int count) {
  std::uint64_t& hash = hashes.try_emplace(request, kFnvStart).first->second;
  for (int i = 0; i < count; ++i) {
    hash = (hash ^ std::bit_cast<std::uint32_t>(row[i])) * 0x100000001b3u;
    hash ^= hash >> 29;  // the multiplication carries upwards only
  }
}

RunResult gather_at_first_rank(Communicator& world, const RankFindings& mine) {
  Json json{{"trace", to_json(mine.trace)}, {"speaks", mine.speaks}};
  if (mine.speaks) {
    json["answers"] = Json::array();
    for (const auto& [request, tokens] : mine.answers) json["answers"].push_back({request, tokens});
    json["hashes"] = Json::array();
    for (const auto& [request, hash] : mine.hashes) json["hashes"].push_back({request, hash});
    json["token_times"] = Json::array();
    for (const auto& [request, times] : mine.token_times) json["token_times"].push_back({request, times});
    json["logits"] = keyed_by_request(mine.logits);
    json["draft_logits"] = keyed_by_request(mine.draft_logits);
  }
  const std::vector<std::uint8_t> packed = Json::to_cbor(json);  // floats survive bit for bit
  std::vector<std::vector<std::byte>> send(world.size());
  send[0].resize(packed.size());
  std::memcpy(send[0].data(), packed.data(), packed.size());
  world.enter("gathering results", -1);
  const std::vector<std::vector<std::byte>> came = world.all_to_all(send);
  RunResult result;
  if (world.rank() != 0) return result;

  std::map<int, std::uint64_t> hashes;
  for (const std::vector<std::byte>& part : came) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(part.data());
    const Json theirs = Json::from_cbor(bytes, bytes + part.size());
    result.traces.push_back(trace_from(theirs["trace"]));
    if (!theirs["speaks"].get<bool>()) continue;
    for (const Json& entry : theirs["answers"]) result.answers[entry[0]] = entry[1].get<std::vector<int>>();
    for (const Json& entry : theirs["token_times"]) {
      result.token_times[entry[0]] = entry[1].get<std::vector<double>>();
    }
    for (const Json& entry : theirs["hashes"]) hashes[entry[0]] = entry[1];
    result.logits.merge(rows_from(theirs["logits"]));
    result.draft_logits.merge(rows_from(theirs["draft_logits"]));
  }
  result.logits_hash = kFnvStart;
  for (const auto& [request, hash] : hashes) result.logits_hash = fnv(result.logits_hash, &hash, sizeof hash);
  result.rounds = static_cast<int>(result.traces.front().rounds.size());
  return result;
}

}  // namespace fathom
