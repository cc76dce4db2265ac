// kernels_cuda_tests [--gtest_...]: 77 and `waived: no device` where there is no GPU.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("waived: no device");
    return 77;
  }
  return RUN_ALL_TESTS();
}
