// libFuzzer's program: kiln_fuzz TARGET [LIBFUZZER ARGUMENT ...] [CORPUS ...].
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/targets.h"

namespace {

const kiln::fuzz::Target* target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc >= 2) target = kiln::fuzz::FindTarget((*argv)[1]);
  if (target == nullptr) {
    std::fprintf(stderr, "fuzz: target is %s, expected one of:", *argc < 2 ? "none" : (*argv)[1]);
    for (const auto& each : kiln::fuzz::Targets()) {
      std::fprintf(stderr, " %.*s", static_cast<int>(each.name.size()), each.name.data());
    }
    std::fprintf(stderr, "\n");
    std::exit(2);
  }
  (*argv)[1] = (*argv)[0];
  ++*argv;
  --*argc;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  target->feed({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
