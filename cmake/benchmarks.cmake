# `ninja -C build/release bench` builds and runs benchmarks/*_bench.cpp, where Google Benchmark is installed.
find_package(benchmark QUIET)
file(GLOB bench_sources CONFIGURE_DEPENDS benchmarks/*_bench.cpp)
if(benchmark_FOUND AND bench_sources)
  add_executable(fathom_bench EXCLUDE_FROM_ALL ${bench_sources})
  target_link_libraries(fathom_bench PRIVATE planner kernels_host benchmark::benchmark_main)
  use_warnings(fathom_bench)
  add_custom_target(bench COMMAND fathom_bench WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} USES_TERMINAL)
endif()

# peers_bench: sums between this machine's GPUs, by our kernels and by NCCL.
if(TARGET kernels_cuda)
  add_executable(peers_bench EXCLUDE_FROM_ALL benchmarks/cuda_peers/peers_bench.cpp)
  target_link_libraries(peers_bench PRIVATE engine planner kernels_cuda kernels_host fmt::fmt nlohmann_json::nlohmann_json)
  use_warnings(peers_bench)
endif()

# probe_loops: what `fathom probe` measures, by plain loops (docs/measurements/probe_gpus.sh).
if(TARGET kernels_cuda)
  add_library(plain_reads OBJECT EXCLUDE_FROM_ALL benchmarks/probe_loops/plain_reads.cu)
  set_target_properties(plain_reads PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON)
  target_compile_options(plain_reads PRIVATE ${cuda_targets})
  add_executable(probe_loops EXCLUDE_FROM_ALL benchmarks/probe_loops/probe_loops.cpp)
  target_link_libraries(probe_loops PRIVATE plain_reads kernels_device kernels_cuda CUDA::cublasLt fmt::fmt)
  use_warnings(probe_loops)
endif()
