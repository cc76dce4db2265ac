// Accelerators: what the data sheet promises and what somebody measured. Peaks are dense, links count one direction.
#pragma once

#include <array>
#include <string_view>

#include "catalog/field.h"

namespace fathom {

// Can one plan with it? Anything but kOk deserves a line in the report.
enum class PartStatus { kOk, kAftermarket, kMeasuredOnly, kPressOnly, kUnsourced, kAnnounced };
constexpr std::array<std::string_view, 6> words(PartStatus) {
  return {"ok", "aftermarket", "measured-only", "press-only", "unsourced", "announced"};
}

// A number format that multiplies matrices.
enum class Dtype { kFp64, kFp32, kTf32, kFp16, kBf16, kFp8, kFp6, kFp4, kInt16, kInt8, kInt4 };

// What data sheets list. "Tensor" and "matrix" rates need matrix instructions; the accumulate rates tell GeForce cards,
// which are half as fast when sums are kept in FP32, as language models need them.
enum class PeakRate {
  kFp64,
  kFp64Tensor,
  kFp32,
  kFp32Matrix,
  kTf32,
  kFp16,
  kFp16Fp32Accumulate,
  kBf16,
  kFp8,
  kFp8Fp32Accumulate,
  kFp6,
  kFp4,
  kInt16,
  kInt8,
  kInt4
};
constexpr std::array<std::string_view, 15> words(PeakRate) {
  return {"fp64",
          "fp64_tensor",
          "fp32",
          "fp32_matrix",
          "tf32",
          "fp16",
          "fp16_fp32_accumulate",
          "bf16",
          "fp8",
          "fp8_fp32_accumulate",
          "fp6",
          "fp4",
          "int16",
          "int8",
          "int4"};
}
using Peaks = std::map<PeakRate, Fact<FlopsPerSecond>>;

// The rate of dense matrix products in `dtype` with sums kept in FP32; nullptr when not supported or not published.
const Fact<FlopsPerSecond>* peak(const Peaks& peaks, Dtype dtype);

struct ComputeUnits {
  std::string kind;  // "SM", "CU", "AI core"
  std::optional<int> count;
};
template <class Visit, Is<ComputeUnits> C>
void fields(Visit& visit, C& units) {
  visit("kind", units.kind);
  visit("count", units.count, between(1, 100'000));
}

struct PcieSlot {
  int generation = 0;
  std::optional<int> lanes;
};
template <class Visit, Is<PcieSlot> P>
void fields(Visit& visit, P& pcie) {
  visit("generation", pcie.generation, between(1, 7));
  visit("lanes", pcie.lanes, between(1, 256));
}

enum class ScaleUpKind {
  kNone,    // PCIe only
  kBridge,  // a rigid connector between neighbouring cards
  kMesh,    // a pair gets only its share of the links
  kSwitch,  // any pair gets all of the links
  kOther,   // not told by the sources
};
constexpr std::array<std::string_view, 5> words(ScaleUpKind) { return {"none", "bridge", "mesh", "switch", "other"}; }

struct ScaleUp {
  std::string name;  // "NVLink", "HCCS"
  ScaleUpKind kind = ScaleUpKind::kNone;
  std::optional<int> domain;  // accelerators that it joins; 1 without a link
  std::optional<int> generation;
  std::optional<int> links;
  std::optional<Fact<BytesPerSecond>> bandwidth_per_direction;  // one accelerator, all links
  std::optional<Fact<BytesPerSecond>> pair_bandwidth;           // kMesh: what two accelerators share, per direction
  std::optional<Fact<BytesPerSecond>> nccl_bandwidth_per_link;  // what NCCL reckons with
  std::string topology;                                         // the source's words
};
template <class Visit, Is<ScaleUp> S>
void fields(Visit& visit, S& link) {
  visit("name", link.name);
  visit("kind", link.kind);
  visit("domain", link.domain, between(1, 100'000));
  visit("generation", link.generation, between(1, 10));
  visit("links", link.links, between(1, 100));
  visit("bandwidth_per_direction", link.bandwidth_per_direction, between(1_GBps, 5000_GBps));
  visit("pair_bandwidth", link.pair_bandwidth, between(1_GBps, 5000_GBps));
  visit("nccl_bandwidth_per_link", link.nccl_bandwidth_per_link, between(1_GBps, 1000_GBps));
  visit("topology", link.topology);
}

struct Virtualisation {
  int mig_instances = 0;  // 0: cannot be partitioned in hardware
  std::optional<bool> vgpu;
  std::optional<std::string> vgpu_method;  // vendor's name when it is not NVIDIA vGPU
  std::optional<bool> sriov;
  std::optional<bool> gpudirect_rdma;  // network cards may read and write its memory
  std::optional<std::string> note;
  std::optional<SourceCodes> source;
};
template <class Visit, Is<Virtualisation> V>
void fields(Visit& visit, V& virtualisation) {
  visit("mig_instances", virtualisation.mig_instances, between(0, 64));
  visit("vgpu", virtualisation.vgpu);
  visit("vgpu_method", virtualisation.vgpu_method);
  visit("sriov", virtualisation.sriov);
  visit("gpudirect_rdma", virtualisation.gpudirect_rdma);
  visit("note", virtualisation.note);
  visit("source", virtualisation.source);
}

// Formats that the matrix units take as they are.
struct NativeFormats {
  bool bf16 = false;
  bool fp8 = false;
  bool fp8_block128 = false;  // 128x128 block scales, as DeepSeek checkpoints have them
  bool fp4 = false;
  std::optional<bool> mxfp8, nvfp4;
  std::optional<std::string> fp8_format;  // when it is not OCP e4m3
};
template <class Visit, Is<NativeFormats> N>
void fields(Visit& visit, N& native) {
  visit("bf16", native.bf16);
  visit("fp8", native.fp8);
  visit("fp8_block128", native.fp8_block128);
  visit("fp4", native.fp4);
  visit("mxfp8", native.mxfp8);
  visit("nvfp4", native.nvfp4);
  visit("fp8_format", native.fp8_format);
}

// The catalog's id for the processor of a node as what runs the model.
inline constexpr const char* kHostAccelerator = "host-cpu";

struct Accelerator {
  std::string id;
  std::string vendor;
  std::string name;
  std::string architecture;
  int year = 0;
  std::string form_factor;
  PartStatus status = PartStatus::kOk;
  Fact<Bytes> memory;
  std::optional<Fact<Bytes>> usable_memory;  // what the driver reports, where it is known to differ
  std::string memory_type;
  std::optional<Fact<BytesPerSecond>> memory_bandwidth;
  std::optional<Fact<Bytes>> l2_cache, last_level_cache;
  ComputeUnits compute_units;
  Peaks peak;
  std::optional<Fact<Watts>> tdp;
  std::optional<PcieSlot> pcie;  // absent: no PCIe device
  ScaleUp scale_up;
  Virtualisation virtualisation;
  NativeFormats native;
  std::string stack;  // "CUDA", "ROCm", "CANN / MindIE …"
  std::optional<std::string> compute_capability;
  std::optional<std::string> target;  // compiler target: "gfx942"
  NamedFacts measured;
  std::vector<Price> price;
  Notes notes;
  SourceCodes source;  // of what carries none of its own
};
template <class Visit, Is<Accelerator> A>
void fields(Visit& visit, A& a) {
  visit("id", a.id);
  visit("vendor", a.vendor);
  visit("name", a.name);
  visit("architecture", a.architecture);
  visit("year", a.year, between(2005, 2040));
  visit("form_factor", a.form_factor);
  visit("status", a.status);
  visit("memory", a.memory, between(1_GiB, 1024_GiB));
  visit("usable_memory", a.usable_memory, between(1_GiB, 1024_GiB));
  visit("memory_type", a.memory_type);
  visit("memory_bandwidth", a.memory_bandwidth, between(10_GBps, 50'000_GBps));
  visit("l2_cache", a.l2_cache, between(100'000_B, 1_GiB));
  visit("last_level_cache", a.last_level_cache, between(1'000'000_B, 1_GiB));
  visit("compute_units", a.compute_units);
  visit("peak", a.peak, between(0.01_TFLOPS, 100'000_TFLOPS));
  visit("tdp", a.tdp, between(1_W, 3000_W));
  visit("pcie", a.pcie);
  visit("scale_up", a.scale_up);
  visit("virtualisation", a.virtualisation);
  visit("native", a.native);
  visit("stack", a.stack);
  visit("compute_capability", a.compute_capability);
  visit("target", a.target);
  visit("measured", a.measured);
  visit("price", a.price);
  visit("notes", a.notes);
  visit("source", a.source);
}

inline const Fact<FlopsPerSecond>* peak(const Accelerator& accelerator, Dtype dtype) {
  return peak(accelerator.peak, dtype);
}

}  // namespace fathom
