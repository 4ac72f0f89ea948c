// The bytes that a server sends on one connection, taken apart: answers in order, and the records
// of an open stream. Takes any split of the bytes. Knows HTTP/1.1 and RecordIO only as far as the
// recordings need it, and on its own: it judges Kiln's decoders.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tests/mesos/scenario.h"

namespace kiln::replay {

struct RawAnswer {
  int status = 0;
  std::string reason;
  HeaderLines headers;
  std::string body;
  bool complete = false;  // false: the head has come, the body has not, or is a stream

  std::string Header(std::string_view name) const;  // empty if there is none
};

struct RawRecord {
  std::string bytes;
  double at_ms = 0;
};

class AnswerParser {
 public:
  // The next answer that is chunked and a success is an open stream of records.
  void ExpectStream() { stream_expected_ = true; }

  void Feed(std::string_view bytes, double at_ms);
  void Close(double at_ms);  // the server closed the connection

  std::deque<RawAnswer> answers;  // the last one may be incomplete
  std::deque<RawRecord> records;  // of the stream
  std::string stream_end;         // how the stream ended; empty while it is open
  double stream_end_at_ms = 0;
  std::string error;  // bytes that are no HTTP, or no RecordIO
  bool streaming() const { return streaming_; }

 private:
  enum class State { kHead, kBody, kBodyToEnd, kChunkHead, kChunk, kChunkEnd, kTrailer };

  bool Advance(double at_ms);
  bool TakeHead();
  bool TakeBody();
  bool TakeChunkHead();
  bool TakeInnerAnswer();
  bool TakeChunk(double at_ms);
  void TakeRecords(double at_ms);
  void EndChunks(double at_ms);
  bool ParseHead(std::string_view head, RawAnswer& answer);

  State state_ = State::kHead;
  std::string buffer_;
  size_t left_ = 0;  // bytes of the body or chunk that are still to come
  std::string record_bytes_;
  bool stream_expected_ = false;
  bool streaming_ = false;
};

}  // namespace kiln::replay
