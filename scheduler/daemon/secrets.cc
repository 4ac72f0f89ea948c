#include "scheduler/daemon/secrets.h"

#include "scheduler/daemon/private_file.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kBytesMax = 64 << 10;  // Mesos carries it with the task

}  // namespace

Status Secrets::Check(const Job& job) const {
  for (size_t i = 0; i < job.groups.size(); ++i) {
    for (size_t k = 0; k < job.groups[i].secrets.size(); ++k) {
      const auto value = Read(job.groups[i].secrets[k]);
      if (value) continue;
      return FailField(fmt::format("groups[{}].secrets[{}]", i, k), "{}", value.error().message);
    }
  }
  return {};
}

Result<std::string> Secrets::Read(const SecretUse& use) const {
  constexpr auto kCode = ErrorCode::kFailedPrecondition;
  if (folder_.empty()) {
    return Fail(kCode, "secret {} is not known: the scheduler has no --secrets-dir", use.name);
  }
  auto value = ReadPrivateFile(folder_ + "/" + use.name);
  if (!value && value.error().code == ErrorCode::kNotFound) {
    return Fail(kCode, "secret {} is not known: expected a file of that name in --secrets-dir",
                use.name);
  }
  if (!value) return Fail(kCode, "secret {}: {}", use.name, value.error().message);
  if (value->size() > kBytesMax) {
    return Fail(kCode, "secret {} has {} bytes: expected at most {}", use.name, value->size(),
                kBytesMax);
  }
  if (use.env.empty()) return value;
  if (value->find('\0') != std::string::npos) {
    return Fail(kCode, "secret {} has a zero byte: expected none in a variable", use.name);
  }
  value->resize(value->find_last_not_of("\r\n") + 1);
  return value;
}

}  // namespace kiln::scheduler
