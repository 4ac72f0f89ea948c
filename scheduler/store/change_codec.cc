#include "scheduler/store/change_codec.h"

namespace kiln::scheduler {
namespace {

// A removal has no bytes; its length says so.
constexpr uint32_t kRemoved = ~uint32_t{0};

void AppendNumber(uint32_t number, std::string& bytes) {
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift & 0xff);
}

void AppendText(const std::string& text, std::string& bytes) {
  AppendNumber(static_cast<uint32_t>(text.size()), bytes);
  bytes += text;
}

class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}

  bool done() const { return rest_.empty(); }
  bool failed() const { return failed_; }
  uint32_t Number() {
    const std::string_view four = Take(4);
    uint32_t number = 0;
    for (size_t i = 0; i < four.size(); ++i) {
      number |= static_cast<uint32_t>(static_cast<unsigned char>(four[i])) << 8 * i;
    }
    return number;
  }
  std::string Text() { return std::string(Take(Number())); }
  std::optional<std::string> Bytes() {
    const uint32_t size = Number();
    if (size == kRemoved) return std::nullopt;
    return std::string(Take(size));
  }

 private:
  std::string_view Take(size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

void AppendChange(const Change& change, std::string& bytes) {
  AppendText(change.kind, bytes);
  AppendText(change.key, bytes);
  if (change.bytes) {
    AppendText(*change.bytes, bytes);
  } else {
    AppendNumber(kRemoved, bytes);
  }
}

Result<std::vector<Change>> ReadChanges(std::string_view bytes) {
  std::vector<Change> changes;
  Reader reader(bytes);
  while (!reader.done()) {
    Change change{reader.Text(), reader.Text(), reader.Bytes()};
    if (reader.failed()) {
      return Fail(ErrorCode::kDataLoss, "records end in the middle of one, after {} whole ones",
                  changes.size());
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace kiln::scheduler
