#include "tests/mesos/answer_parser.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace kiln::replay {
namespace {

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool ParseNumber(std::string_view text, int base, size_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string RawAnswer::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (SameName(key, name)) return value;
  }
  return "";
}

void AnswerParser::Feed(std::string_view bytes, double at_ms) {
  buffer_ += bytes;
  while (error.empty() && Advance(at_ms)) {
  }
}

void AnswerParser::Close(double at_ms) {
  if (state_ == State::kBodyToEnd) {
    answers.back().body = std::move(buffer_);
    answers.back().complete = true;
    state_ = State::kHead;
  }
  if (streaming_) {
    streaming_ = false;
    stream_end = "connection closed";
    stream_end_at_ms = at_ms;
  }
}

bool AnswerParser::Advance(double at_ms) {
  switch (state_) {
    case State::kHead:
      return TakeHead();
    case State::kBody:
      return TakeBody();
    case State::kBodyToEnd:
      return false;
    case State::kChunkHead:
      return TakeChunkHead();
    case State::kChunk:
      return TakeChunk(at_ms);
    case State::kChunkEnd:
      if (buffer_.size() < 2) return false;
      if (!buffer_.starts_with("\r\n")) error = "a chunk without its end";
      buffer_.erase(0, 2);
      state_ = State::kChunkHead;
      return true;
    case State::kTrailer:
      if (buffer_.size() < 2) return false;
      if (!buffer_.starts_with("\r\n")) error = "trailers behind the last chunk";
      buffer_.erase(0, 2);
      EndChunks(at_ms);
      return true;
  }
  return false;
}

bool AnswerParser::ParseHead(std::string_view head, RawAnswer& answer) {
  const size_t line_end = std::min(head.find("\r\n"), head.size());
  const std::string_view line = head.substr(0, line_end);
  size_t status = 0;
  if (!line.starts_with("HTTP/1.1 ") || line.size() < 12 ||
      !ParseNumber(line.substr(9, 3), 10, status)) {
    error = "no HTTP answer: " + std::string(line);
    return false;
  }
  answer.status = static_cast<int>(status);
  answer.reason = line.size() > 13 ? line.substr(13) : "";
  for (size_t at = line_end + 2; at < head.size();) {
    const size_t end = std::min(head.find("\r\n", at), head.size());
    const std::string_view text = head.substr(at, end - at);
    const size_t colon = std::min(text.find(':'), text.size());
    const size_t value = text.find_first_not_of(' ', std::min(colon + 1, text.size()));
    answer.headers.emplace_back(text.substr(0, colon),
                                value == std::string_view::npos ? "" : text.substr(value));
    at = end + 2;
  }
  return true;
}

bool AnswerParser::TakeHead() {
  const size_t end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  RawAnswer answer;
  if (!ParseHead(std::string_view(buffer_).substr(0, end), answer)) return false;
  buffer_.erase(0, end + 4);
  const std::string length = answer.Header("Content-Length");
  if (SameName(answer.Header("Transfer-Encoding"), "chunked")) {
    state_ = State::kChunkHead;
    streaming_ = stream_expected_ && answer.status == 200;
    stream_end.clear();
  } else if (!length.empty()) {
    if (!ParseNumber(length, 10, left_)) error = "Content-Length: " + length;
    state_ = State::kBody;
  } else {
    state_ = State::kBodyToEnd;
  }
  stream_expected_ = false;
  answers.push_back(std::move(answer));
  return true;
}

bool AnswerParser::TakeBody() {
  if (buffer_.size() < left_) return false;
  answers.back().body = buffer_.substr(0, left_);
  answers.back().complete = true;
  buffer_.erase(0, left_);
  state_ = State::kHead;
  return true;
}

// An answer to another request may stand between two chunks of an open stream.
bool AnswerParser::TakeInnerAnswer() {
  const size_t end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  RawAnswer answer;
  if (!ParseHead(std::string_view(buffer_).substr(0, end), answer)) return false;
  size_t length = 0;
  if (!ParseNumber(answer.Header("Content-Length"), 10, length)) {
    error = "an answer without Content-Length inside a stream";
    return false;
  }
  if (buffer_.size() < end + 4 + length) return false;
  answer.body = buffer_.substr(end + 4, length);
  answer.complete = true;
  buffer_.erase(0, end + 4 + length);
  answers.push_back(std::move(answer));
  return true;
}

bool AnswerParser::TakeChunkHead() {
  if (streaming_ && buffer_.starts_with("HTTP/")) return TakeInnerAnswer();
  const size_t end = buffer_.find("\r\n");
  if (end == std::string::npos) return false;
  if (!ParseNumber(std::string_view(buffer_).substr(0, end), 16, left_)) {
    error = "no chunk size: " + buffer_.substr(0, std::min<size_t>(end, 40));
    return false;
  }
  buffer_.erase(0, end + 2);
  state_ = left_ == 0 ? State::kTrailer : State::kChunk;
  return true;
}

bool AnswerParser::TakeChunk(double at_ms) {
  if (buffer_.empty()) return false;
  const size_t size = std::min(left_, buffer_.size());
  if (streaming_) {
    record_bytes_.append(buffer_, 0, size);
    TakeRecords(at_ms);
  } else {
    answers.back().body.append(buffer_, 0, size);
  }
  buffer_.erase(0, size);
  left_ -= size;
  if (left_ == 0) state_ = State::kChunkEnd;
  return true;
}

void AnswerParser::TakeRecords(double at_ms) {
  while (true) {
    const size_t end = record_bytes_.find('\n');
    if (end == std::string::npos) return;
    size_t length = 0;
    if (!ParseNumber(std::string_view(record_bytes_).substr(0, end), 10, length)) {
      error = "no RecordIO length: " + record_bytes_.substr(0, end);
      return;
    }
    if (record_bytes_.size() < end + 1 + length) return;
    records.push_back({record_bytes_.substr(end + 1, length), at_ms});
    record_bytes_.erase(0, end + 1 + length);
  }
}

void AnswerParser::EndChunks(double at_ms) {
  state_ = State::kHead;
  if (streaming_) {
    streaming_ = false;
    stream_end = "last chunk";
    stream_end_at_ms = at_ms;
  } else {
    answers.back().complete = true;
  }
}

}  // namespace kiln::replay
