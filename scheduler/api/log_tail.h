// Passes a file of a task's sandbox on from its agent, to the end or as it grows.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/time.h"
#include "wire/net/client.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::scheduler {

struct LogTailOptions {
  std::string agent;          // host:port, or https://host:port
  std::string hostname;       // whom its certificate may be for, beside an address
  std::string path;           // of the file, as the agent knows it
  std::string authorization;  // of the request to the agent; empty: none
  uint64_t offset = 0;
  bool follow = false;
  std::function<bool()> ended;                           // the task writes nothing more
  std::string task;                                      // told in the head of the answer
  std::shared_ptr<const net::TlsContext> tls = nullptr;  // what an agent of https is judged by
};

// Starts to answer the exchange with the bytes. Lives until the answer ends or its reader goes.
// Threads: the loop's alone. Errors before the first byte are answered as errors.
void TailLog(net::Loop& loop, std::shared_ptr<net::Exchange> exchange, LogTailOptions options);

// The bytes and offset of an agent's answer to /files/read. Mesos writes the bytes of a file into
// the JSON text as they are, also when they are no UTF-8.
Result<std::string> DecodeFileRead(std::string_view body);

}  // namespace kiln::scheduler
