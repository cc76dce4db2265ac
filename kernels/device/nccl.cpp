#include "device/nccl.h"

#include <dlfcn.h>

#include <type_traits>

namespace fathom {

namespace {

NcclLibrary loaded() {
  NcclLibrary library;
  void* file = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (file == nullptr) {
    library.missing = "there is no libnccl.so.2 on the library path";
    return library;
  }
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(file, name));
    if (function == nullptr && library.missing.empty()) library.missing = std::string("libnccl.so.2 has no ") + name;
  };
  find(library.GetVersion, "ncclGetVersion");
  find(library.GetUniqueId, "ncclGetUniqueId");
  find(library.CommInitRank, "ncclCommInitRank");
  find(library.CommInitAll, "ncclCommInitAll");
  find(library.CommAbort, "ncclCommAbort");
  find(library.GetErrorString, "ncclGetErrorString");
  find(library.GetLastError, "ncclGetLastError");
  find(library.GroupStart, "ncclGroupStart");
  find(library.GroupEnd, "ncclGroupEnd");
  find(library.AllReduce, "ncclAllReduce");
  find(library.AllGather, "ncclAllGather");
  find(library.ReduceScatter, "ncclReduceScatter");
  find(library.Send, "ncclSend");
  find(library.Recv, "ncclRecv");
  return library;
}

}  // namespace

std::string NcclLibrary::version() const {
  int number = 0;
  if (!missing.empty() || GetVersion(&number) != kNcclSuccess) return {};
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

std::string NcclLibrary::words_of(int status) const {
  const char* more = GetLastError(nullptr);
  std::string words = GetErrorString(status);
  if (more != nullptr && *more != '\0') words += std::string(": ") + more;
  return words;
}

const NcclLibrary& nccl_library() {
  static const NcclLibrary library = loaded();
  return library;
}

}  // namespace fathom
