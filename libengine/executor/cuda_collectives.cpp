// What ranks say to each other, on their devices: sums and norms, parts of the logits, the residual stream from stage to stage.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "comm/rank_messages.h"
#include "executor/cuda_executor.h"

namespace fathom {

namespace {

// Up to here every rank sends its part to all others with marks, or without; beyond, each sums a share.
constexpr std::int64_t kPacketBytes = 128 << 10, kFlightBytes = 1 << 20;  // of bf16 rows
// From here on NCCL's rings are faster than ours: on two H200 15 MB in 67 us against 75, 59 MB in 220 against 276.
constexpr std::int64_t kLongBytes = 8 << 20;

// Two directions of a pipeline have counters of their own.
enum Line { kIncoming = 0, kOutgoing = 1 };

std::int64_t rounded_up(std::int64_t count, std::int64_t step) { return (count + step - 1) / step * step; }

}  // namespace

void CudaExecutor::allocate_peers() {
  const std::int64_t rows = options_.limits.rows, hidden = a_.hidden_size;
  logit_stride_ = rounded_up(a_.vocab_size, 8);
  mail_room_ = rounded_up((rows * hidden + l_.tp - 1) / l_.tp, 4);
  if (l_.devices_per_replica() == 1) return;
  if (l_.pp > 1) pipeline_ = groups_.world.split(place_.stage_rank(l_), place_.stage);
  const bool peers = options_.links == DeviceLinks::kPeers ||
                     (options_.links == DeviceLinks::kAuto && gpus_reach_each_other(groups_.world));
  if (!peers && visits()) {
    throw std::invalid_argument("attention-DP needs GPUs that can write into each other's memory, and these cannot");
  }
  if (!peers) return allocate_nccl();
  if (pipeline_) {
    pipeline_calls_ = std::make_unique<PeerCalls>(
        *pipeline_, account_, 2 * static_cast<std::size_t>(mail_room_) * sizeof(float), options_.patience);
  }
  if (sharded()) allocate_shared_sums();
  if (visits()) allocate_visitors();
}

void CudaExecutor::allocate_shared_sums() {
  const std::int64_t rows = options_.limits.rows, hidden = a_.hidden_size;
  constexpr std::size_t kBf16 = sizeof(std::uint16_t), kFp32 = sizeof(float);
  const auto rows_of = [&](std::int64_t bytes) {
    return static_cast<int>(std::min(
        {rows, bytes / (hidden * static_cast<std::int64_t>(kBf16)), static_cast<std::int64_t>(cuda::kPeerBlocks)}));
  };
  packet_rows_ = rows_of(kPacketBytes);
  flight_rows_ = rows_of(kFlightBytes);
  const std::int64_t wanted = options_.all_logits ? rows : options_.limits.sequences;
  PeerPlan places;
  places_.partial = places.take(rows * hidden, kBf16);
  places_.sums = places.take(rows > flight_rows_ ? rows * hidden : 0, kBf16);
  const auto take = [&](std::size_t bytes) { return places.take(static_cast<std::int64_t>(bytes), 1); };
  places_.packets = take(cuda::peer_packet_bytes(l_.tp, packet_rows_, a_.hidden_size));
  places_.flights = take(cuda::peer_flight_bytes(l_.tp, flight_rows_, a_.hidden_size));
  places_.logits = places.take(stage_.has_head ? wanted * logit_stride_ : 0, kFp32);
  places_.residual = places.take(rows * hidden, kFp32);
  tp_calls_ = std::make_unique<PeerCalls>(*groups_.tp, account_, places.bytes(), options_.patience);
  partial_ = tp_calls_->own<std::uint16_t>(places_.partial);
  logits_ = tp_calls_->own<float>(places_.logits);
  residual_ = tp_calls_->own<float>(places_.residual);
  const bool long_sums = rows * hidden * static_cast<std::int64_t>(kBf16) >= kLongBytes;
  if (long_sums && options_.links == DeviceLinks::kAuto && nccl_everywhere(*groups_.tp)) {
    tp_nccl_ = std::make_unique<NcclGroup>(*groups_.tp);
  }
}

// For GPUs that cannot write into each other's memory.
void CudaExecutor::allocate_nccl() {
  const std::int64_t rows = options_.limits.rows, hidden = a_.hidden_size;
  if (pipeline_) pipeline_nccl_ = std::make_unique<NcclGroup>(*pipeline_);
  if (!sharded()) return;
  tp_nccl_ = std::make_unique<NcclGroup>(*groups_.tp);
  partial_memory_ = room(rows * hidden, sizeof(std::uint16_t));
  partial_ = partial_memory_.as<std::uint16_t>();
  residual_memory_ = room(mail_room_ * l_.tp, sizeof(float));  // parts of one length are gathered into it
  residual_ = residual_memory_.as<float>();
  const std::int64_t wanted = options_.all_logits ? rows : options_.limits.sequences;
  if (stage_.has_head) parts_of_logits_ = room((l_.tp + 1) * wanted * vocabulary_.widest, sizeof(float));
}

cuda::Peers CudaExecutor::next_call(PeerCalls& calls, int line) const { return calls.next(running_instruction_, line); }

// How many calls were made before this step goes up with the batch: it is the one thing of them that differs from step to step.
void CudaExecutor::upload_calls() {
  std::array<std::uint32_t, CudaBatch::kWords> words = {};
  const auto put = [&](const PeerCalls* calls, int at) {
    if (calls != nullptr) std::copy(calls->before().begin(), calls->before().end(), words.begin() + at);
  };
  put(tp_calls_.get(), 0);
  put(pipeline_calls_.get(), PeerCalls::kLines);
  put(stage_calls_.get(), 2 * PeerCalls::kLines);
  batch_.set_words(words);
}

CudaExecutor::StepCalls CudaExecutor::calls_so_far() const {
  StepCalls calls;
  if (tp_calls_) calls.tp = tp_calls_->calls();
  if (pipeline_calls_) calls.pipeline = pipeline_calls_->calls();
  if (stage_calls_) calls.stage = stage_calls_->calls();
  return calls;
}

void CudaExecutor::end_calls(const StepCalls& calls) {
  if (tp_calls_) tp_calls_->end(calls.tp);
  if (pipeline_calls_) pipeline_calls_->end(calls.pipeline);
  if (stage_calls_) stage_calls_->end(calls.stage);
}

// The norm that follows is part of it.
void CudaExecutor::all_reduce(const Instruction& i) {
  cuda::PeerReduce op;
  op.rows = batch_.rows();
  op.width = a_.hidden_size;
  const std::int64_t values = std::int64_t{op.rows} * op.width;
  if (tp_nccl_ && (!tp_calls_ || values * static_cast<std::int64_t>(sizeof(std::uint16_t)) >= kLongBytes)) {
    tp_nccl_->sum_bf16(partial_, static_cast<std::size_t>(values), stream_);
    op.partial[0] = partial_;
  } else {
    op.peers = next_call(*tp_calls_);
    tp_calls_->place<std::uint16_t>(places_.partial, op.partial);
    tp_calls_->place<std::uint16_t>(places_.sums, op.sums);
    tp_calls_->place<void>(places_.packets, op.packets);
    tp_calls_->place<void>(places_.flights, op.flights);
    op.packet_rows = packet_rows_;
    op.flight_rows = flight_rows_;
  }
  op.residual = residual_;
  op.replace = i.name == "embed.all_reduce";
  const bool norm_follows = next_ != nullptr && next_->handler == &CudaExecutor::norm;
  if (norm_follows) {
    op.weight = weights(next_->instruction.name, next_->instruction.layer).vectors.front();
    op.epsilon = static_cast<float>(a_.norm_epsilon);
    op.out = normed_.as<std::uint16_t>();
    normed_already_ = true;
  }
  cuda::peer_reduce(how(), op);
}

void CudaExecutor::head_all_gather(const Instruction&) {
  if (batch_.logits() == 0) return;
  if (!tp_calls_) return gather_logits_by_nccl();
  cuda::PeerGather op;
  op.peers = next_call(*tp_calls_);
  op.rows = batch_.logits();
  op.first = vocabulary_.first;
  op.count = vocabulary_.count;
  op.stride = logit_stride_;
  tp_calls_->place<float>(places_.logits, op.at);
  cuda::peer_gather(how(), op);
}

// Own columns without gaps, everyone's, and those back into their places.
void CudaExecutor::gather_logits_by_nccl() {
  const auto rows = static_cast<std::size_t>(batch_.logits());
  const std::size_t part = rows * static_cast<std::size_t>(vocabulary_.widest),
                    pitch = sizeof(float) * static_cast<std::size_t>(vocabulary_.widest);
  auto* mine = parts_of_logits_.as<float>();
  const auto copy = [&](void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                        std::int64_t columns) {
    cuda_ok(cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, sizeof(float) * static_cast<std::size_t>(columns), rows,
                              cudaMemcpyDeviceToDevice, stream_),
            "moving logits");
  };
  const std::size_t whole = sizeof(float) * static_cast<std::size_t>(logit_stride_);
  copy(mine, pitch, logits_ + vocabulary_.first, whole, vocabulary_.count);
  tp_nccl_->gather(mine, mine + part, part, stream_);
  for (int r = 0; r < l_.tp; ++r) {
    const VocabularyShare theirs = VocabularyShare::of(a_.vocab_size, r, l_.tp);
    copy(logits_ + theirs.first, whole, mine + (1 + static_cast<std::size_t>(r)) * part, pitch, theirs.count);
  }
  launches_ = 0;  // the next kernel follows copies, and waits for all of them
}

std::int64_t CudaExecutor::stage_part_length() const {
  return rounded_up((std::int64_t{batch_.rows()} * a_.hidden_size + l_.tp - 1) / l_.tp, 4);
}

// Every rank of a stage sends an equal run of the values, whatever the rows; the last may be shorter.
CudaExecutor::StagePart CudaExecutor::stage_part() const {
  const std::int64_t all = std::int64_t{batch_.rows()} * a_.hidden_size, part = stage_part_length();
  const std::int64_t first = std::min(all, part * place_.rank);
  return {.first = first, .count = std::min(part, all - first)};
}

void CudaExecutor::receive_stage() {
  running_instruction_ = -1;  // before the first
  const StagePart part = stage_part();
  if (pipeline_nccl_) {
    return pipeline_nccl_->receive(residual_ + part.first, static_cast<std::size_t>(part.count), place_.stage - 1,
                                   stream_);
  }
  cuda::PeerMessage op{
      .peers = next_call(*pipeline_calls_, kIncoming), .count = part.count, .values = residual_ + part.first};
  pipeline_calls_->place<float>(0, op.mailbox);
  op.room = mail_room_;
  cuda::peer_receive(how(), op);
}

void CudaExecutor::stage_send(const Instruction&) {
  const StagePart part = stage_part();
  if (pipeline_nccl_) {
    ++launches_;
    return pipeline_nccl_->send(residual_ + part.first, static_cast<std::size_t>(part.count), place_.stage + 1,
                                stream_);
  }
  cuda::PeerMessage op{
      .peers = next_call(*pipeline_calls_, kOutgoing), .count = part.count, .values = residual_ + part.first};
  pipeline_calls_->place<float>(0, op.mailbox);
  op.room = mail_room_;
  cuda::peer_send(how(), op);
}

// The others may still be at the end of the step before, which reads what is written here.
void CudaExecutor::stage_all_gather(const Instruction&) {
  const StagePart part = stage_part();
  if (!tp_calls_) {
    const std::int64_t each = stage_part_length();
    ++launches_;
    return tp_nccl_->gather(residual_ + each * place_.rank, residual_, static_cast<std::size_t>(each), stream_);
  }
  cuda::PeerGather op;
  op.peers = next_call(*tp_calls_);
  op.rows = 1;
  op.first = part.first;
  op.count = part.count;
  op.stride = std::int64_t{batch_.rows()} * a_.hidden_size;
  op.meet_first = true;
  tp_calls_->place<float>(places_.residual, op.at);
  cuda::peer_gather(how(), op);
}

// A device that waits for another gives up in time; a run that has failed elsewhere ends its wait at once. NCCL's calls never give up.
void CudaExecutor::wait_for_step() {
  if (l_.devices_per_replica() == 1) return stream_.wait();
  constexpr std::chrono::milliseconds kLook{20};
  const auto begin = std::chrono::steady_clock::now();
  auto next_look = begin + kLook;
  while (!stream_.idle()) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_look) continue;
    next_look = now + kLook;
    try {
      groups_.world.look();
    } catch (const RankFailure&) {
      stop_calls();
      throw;
    }
    if (now - begin > 2 * options_.patience) {
      stop_calls();
      throw RankFailure(fmt::format("the ranks' devices did not end a step within {}", text(2 * options_.patience)));
    }
  }
  if (tp_calls_ && tp_calls_->missing() >= 0) tell_trouble(*tp_calls_, *groups_.tp);
  if (pipeline_calls_ && pipeline_calls_->missing() >= 0) tell_trouble(*pipeline_calls_, *pipeline_);
  if (stage_calls_ && stage_calls_->missing() >= 0) tell_trouble(*stage_calls_, *groups_.stage);
  if (options_.check_agreement) check_agreement();
}

void CudaExecutor::stop_calls() {
  for (PeerCalls* calls : {tp_calls_.get(), pipeline_calls_.get(), stage_calls_.get()}) {
    if (calls != nullptr) calls->stop();
  }
  for (NcclGroup* group : {tp_nccl_.get(), pipeline_nccl_.get()}) {
    if (group != nullptr) group->abort();
  }
  cudaStreamSynchronize(stream_);  // whatever it says: another failure is on its way already
}

void CudaExecutor::tell_trouble(const PeerCalls& calls, const Communicator& group) const {
  const BoundProgram& bound =
      *std::find_if(programs_.begin(), programs_.end(), [&](const BoundProgram& b) { return &b.program == running_; });
  Doing place{.name = "receiving from the stage before"};
  if (calls.what() >= 0) {
    const Instruction& at = bound.body[static_cast<std::size_t>(calls.what())].instruction;
    place = {.name = at.name, .layer = at.layer};
  }
  throw RankAbsence(text(Absence{.missing = group.world_rank(calls.missing()),
                                 .waiting = groups_.world.rank(),
                                 .place = place,
                                 .call = "a call between devices",
                                 .waited = options_.patience,
                                 .it_was = ""}));
}

// The residual streams of a tensor-parallel group are the same, to the bit; who is alone with its own is named.
void CudaExecutor::check_agreement() {
  if (!sharded()) return;
  std::vector<std::uint32_t> values(static_cast<std::size_t>(batch_.rows()) * static_cast<std::size_t>(a_.hidden_size));
  cuda_ok(cudaMemcpy(values.data(), residual_, values.size() * sizeof values[0], cudaMemcpyDeviceToHost),
          "copying the residual stream");
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a over whole words
  for (std::uint32_t v : values) hash = (hash ^ v) * 0x100000001b3u;
  std::vector<std::uint64_t> all(static_cast<std::size_t>(l_.tp));
  groups_.tp->all_gather(std::as_bytes(std::span(&hash, 1)), std::as_writable_bytes(std::span(all)));
  for (int r = 0; r < l_.tp; ++r) {
    const auto same = std::count(all.begin(), all.end(), all[static_cast<std::size_t>(r)]);
    if (same > l_.tp / 2 || (2 * same == l_.tp && hash == all[static_cast<std::size_t>(r)])) continue;
    throw RankAbsence(fmt::format("rank {} disagrees with the others of its tensor-parallel group after a step",
                                  groups_.tp->world_rank(r)));
  }
}

}  // namespace fathom
