// TCP connections of a replay: requests out, answers and records in, all with their times.
// One thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "tests/mesos/answer_parser.h"

namespace kiln::replay {

// Milliseconds since it was made.
class Stopwatch {
 public:
  double Ms() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Connection {
 public:
  // To 127.0.0.1.
  static Result<std::unique_ptr<Connection>> Open(int port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Status Send(std::string_view bytes);
  // Takes what has come, without waiting.
  void Read(double now_ms);
  bool open() const { return fd_ >= 0; }  // as far as is known
  int fd() const { return fd_; }

  AnswerParser parser;

 private:
  explicit Connection(int fd) : fd_(fd) {}
  int fd_;
};

using Connections = std::map<std::string, std::unique_ptr<Connection>>;

// Waits until bytes come on any connection, or for `wait_ms`, and reads them.
void Pump(Connections& connections, const Stopwatch& clock, double wait_ms);

// One small request on a connection of its own: for the fault endpoint.
Result<RawAnswer> Post(int port, const std::string& path, const std::string& json);

}  // namespace kiln::replay
