# The kernels in CUDA: kernels/cuda/*.cu, one static library, present only where nvcc is. FATHOM_CUDA ON makes a missing compiler an
# error. The code is C++17, because CMake 3.25 does not know CUDA's C++20.
set(FATHOM_CUDA AUTO CACHE STRING "Build the CUDA kernels: AUTO (where nvcc is found), ON, OFF")
set_property(CACHE FATHOM_CUDA PROPERTY STRINGS AUTO ON OFF)
set(FATHOM_CUDA_ARCHITECTURES "" CACHE STRING "Such as 75;80;90a; empty: this machine's GPU, or else 90a")

set(cuda_found OFF)
if(FATHOM_CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    find_program(nvcc_program nvcc HINTS ${CUDAToolkit_ROOT}/bin $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
    mark_as_advanced(nvcc_program)
  endif()
  if(CMAKE_CUDA_COMPILER OR nvcc_program)
    set(cuda_found ON)
  elseif(NOT FATHOM_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "FATHOM_CUDA is ON, and there is no nvcc on the path or in /usr/local/cuda/bin")
  endif()
endif()
if(NOT cuda_found)
  return()
endif()

if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${nvcc_program})
endif()
set(CMAKE_CUDA_ARCHITECTURES OFF)  # 3.25 does not know 90a: the options below name the targets
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

set(cuda_architectures ${FATHOM_CUDA_ARCHITECTURES})
if(NOT cuda_architectures)
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                  OUTPUT_VARIABLE capabilities RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(status EQUAL 0 AND capabilities MATCHES "^[0-9]+\\.[0-9]")
    string(REGEX REPLACE "[.]" "" cuda_architectures "${capabilities}")
    string(REGEX REPLACE "[\r\n]+" ";" cuda_architectures "${cuda_architectures}")
    list(REMOVE_DUPLICATES cuda_architectures)
  else()
    set(cuda_architectures 90a)
  endif()
endif()
list(TRANSFORM cuda_architectures REPLACE "^(90|100)$" "\\1a")  # their own instructions, which kernels take for granted there
set(cuda_targets "")
foreach(architecture IN LISTS cuda_architectures)
  list(APPEND cuda_targets "-gencode=arch=compute_${architecture},code=sm_${architecture}")
endforeach()

file(GLOB cuda_kernel_sources CONFIGURE_DEPENDS kernels/cuda/*.cu)
add_library(kernels_cuda STATIC ${cuda_kernel_sources})
target_include_directories(kernels_cuda PUBLIC kernels)
set_target_properties(kernels_cuda PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static)
target_compile_options(kernels_cuda PRIVATE ${cuda_targets} $<$<CONFIG:Debug>:-O2>)
target_link_libraries(kernels_cuda PUBLIC CUDA::cudart_static PRIVATE CUDA::cublasLt)

# kernels_cuda_bench: what each kernel reaches on this machine's GPU, and cuBLASLt's best algorithms beside them.
file(GLOB cuda_bench_sources CONFIGURE_DEPENDS benchmarks/cuda/*.cpp)
add_executable(kernels_cuda_bench EXCLUDE_FROM_ALL ${cuda_bench_sources})
target_include_directories(kernels_cuda_bench PRIVATE benchmarks/cuda)
target_link_libraries(kernels_cuda_bench PRIVATE kernels_cuda CUDA::cublasLt)
