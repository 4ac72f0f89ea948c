#include "wire/mesos/recordio.h"

#include <algorithm>
#include <charconv>

namespace kiln::wire {
namespace {

constexpr size_t kHeaderLimit = 20;  // digits of the largest 64-bit number

}  // namespace

std::string EncodeRecord(std::string_view record) {
  std::string out = std::to_string(record.size());
  out += '\n';
  out += record;
  return out;
}

// `bytes` is not empty.
Status RecordDecoder::TakeHeader(std::string_view& bytes) {
  const size_t end = std::min(bytes.find('\n'), bytes.size());
  header_ += bytes.substr(0, std::min(end, kHeaderLimit + 1));
  const bool whole = end < bytes.size();
  bytes.remove_prefix(whole ? end + 1 : end);
  uint64_t length = 0;
  const char* last = header_.data() + header_.size();
  const auto [stop, code] = std::from_chars(header_.data(), last, length);
  const bool number = code == std::errc() && stop == last && header_.size() <= kHeaderLimit;
  if (!number) {
    return Fail(ErrorCode::kInvalidArgument, "record header: found '{}', expected a length",
                header_);
  }
  if (!whole) return {};
  if (length > limit_) {
    return Fail(ErrorCode::kResourceExhausted, "record: found {} bytes, expected at most {}",
                length, limit_);
  }
  length_ = length;
  header_.clear();
  return {};
}

Result<std::vector<std::string>> RecordDecoder::Feed(std::string_view bytes) {
  if (broken_) return Failure(*broken_);
  std::vector<std::string> records;
  while (true) {
    if (!length_) {
      if (bytes.empty()) return records;
      if (auto status = TakeHeader(bytes); !status) {
        broken_ = status.error();
        return Failure(*broken_);
      }
      if (!length_) return records;
    }
    const size_t piece = std::min<uint64_t>(bytes.size(), *length_ - record_.size());
    record_ += bytes.substr(0, piece);
    bytes.remove_prefix(piece);
    if (record_.size() < *length_) return records;
    records.push_back(std::move(record_));
    record_.clear();
    length_.reset();
  }
}

}  // namespace kiln::wire
