#include "scheduler/store/store.h"

namespace kiln::scheduler {

void Records::Apply(Change change) {
  auto key = std::pair(std::move(change.kind), std::move(change.key));
  if (change.bytes) {
    bytes[std::move(key)] = *std::move(change.bytes);
  } else {
    bytes.erase(key);
  }
}

Result<Records> Store::Load() {
  Records records;
  KILN_TRY(records.revision,
           Read([&records](std::string_view kind, std::string_view key, std::string_view bytes) {
             records.bytes.emplace(std::pair(kind, key), bytes);
             return Status();
           }));
  return records;
}

}  // namespace kiln::scheduler
