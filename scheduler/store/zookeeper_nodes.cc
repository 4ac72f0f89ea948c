#include "scheduler/store/zookeeper_nodes.h"

#include <sstream>

#include "scheduler/store/change_codec.h"
#include "wire/zookeeper/session.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kPartsMax = 1 << 16;  // of one name

// Of its first node; the other parts are empty still.
Result<Blob> ReadFirst(const std::string& name, const std::string& bytes) {
  Blob blob{name, {}, 0};
  size_t parts = 0;
  const size_t line = bytes.find('\n');
  std::istringstream in(bytes.substr(0, line));
  if (line == bytes.npos || !(in >> parts >> blob.step) || parts == 0 || parts > kPartsMax) {
    return Fail(ErrorCode::kDataLoss, "node {} begins with \"{}\", expected Kiln's head line", name,
                bytes.substr(0, std::min<size_t>(line, 60)));
  }
  blob.parts.resize(parts);
  blob.parts[0] = bytes.substr(line + 1);
  return blob;
}

}  // namespace

std::string StateHead::Text() const {
  return fmt::format("kiln 1 {} {} {} {}", revision, first, step, writer);
}

Result<StateHead> ReadHead(const std::string& text) {
  std::istringstream in(text);
  std::string owner;
  int format = 0;
  StateHead head;
  if (!(in >> owner >> format) || owner != "kiln") {
    return Fail(ErrorCode::kDataLoss, "node state is \"{}\", expected Kiln's", text.substr(0, 60));
  }
  if (format > 1) {
    return Fail(ErrorCode::kFailedPrecondition,
                "node state has format {}, expected at most 1: a newer kiln-scheduler made it",
                format);
  }
  if (!(in >> head.revision >> head.first >> head.step >> head.writer) || head.first == 0 ||
      head.first - 1 > head.revision) {
    return Fail(ErrorCode::kDataLoss, "node state is \"{}\", expected four numbers",
                text.substr(0, 60));
  }
  return head;
}

std::string LogName(Revision revision) { return fmt::format("log/{}", revision); }
std::string PageName(uint64_t page) { return fmt::format("pages/{}", page); }

std::string Blob::PartName(size_t part) const { return fmt::format("{}.{}.{}", name, step, part); }

std::vector<std::string> Blob::MoreNames() const {
  std::vector<std::string> names;
  for (size_t part = 1; part < parts.size(); ++part) names.push_back(PartName(part));
  return names;
}

std::string Blob::First() const { return fmt::format("{} {}\n", parts.size(), step) + parts[0]; }

Blob Cut(std::string name, std::string_view bytes, uint64_t step, size_t limit) {
  Blob blob{std::move(name), {}, step};
  do {
    blob.parts.emplace_back(bytes.substr(0, limit));
    bytes.remove_prefix(blob.parts.back().size());
  } while (!bytes.empty());
  return blob;
}

Result<std::vector<Blob>> ReadBlobs(wire::ZookeeperSession& session,
                                    const std::vector<std::string>& names) {
  KILN_TRY(const auto nodes, session.Read(names));
  std::vector<Blob> blobs;
  std::vector<std::string> more;
  for (size_t i = 0; i < names.size(); ++i) {
    KILN_TRY(Blob blob, ReadFirst(names[i], nodes[i].bytes));
    for (std::string& part : blob.MoreNames()) more.push_back(std::move(part));
    blobs.push_back(std::move(blob));
  }
  KILN_TRY(auto others, session.Read(more));
  size_t next = 0;
  for (Blob& blob : blobs) {
    for (size_t part = 1; part < blob.parts.size(); ++part) {
      blob.parts[part] = std::move(others[next++].bytes);
    }
  }
  return blobs;
}

Result<std::vector<Change>> ChangesOf(const Blob& blob) {
  std::string bytes;
  for (const std::string& part : blob.parts) bytes += part;
  auto changes = ReadChanges(bytes);
  if (!changes) return Failure(Within("node " + blob.name, changes.error()));
  return changes;
}

}  // namespace kiln::scheduler
