// One connection that blocks its thread: plain, or in TLS.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "wire/net/descriptor.h"
#include "wire/net/http.h"
#include "wire/net/tls.h"

namespace kiln::net {

// Threads: one at a time. Every wait ends after `timeout` without progress, as kDeadlineExceeded;
// other faults of the connection are kUnavailable.
class BlockingStream {
 public:
  // `tls` is what the server of an https URL is judged by; none: SystemTls.
  static Result<std::unique_ptr<BlockingStream>> Open(const Url& url,
                                                      const std::shared_ptr<const TlsContext>& tls,
                                                      Duration timeout);

  // True when the peer answers, or broke off, before all is sent: then the rest is of no use.
  Result<bool> Send(std::string_view bytes);
  // Appends what comes next; false at the end.
  Result<bool> Receive(std::string& input);

 private:
  BlockingStream(Descriptor socket, Duration timeout);
  Status Greet(const TlsContext& tls, const std::string& host);
  Status SendOutput();
  // Of encrypted bytes; nothing at the end.
  Result<std::string_view> ReceiveRaw();
  Status TakeEncrypted();

  Descriptor socket_;
  Duration timeout_;
  std::string piece_;
  std::unique_ptr<TlsSession> tls_;
  std::string plain_;  // decrypted and not yet asked for
  bool ended_ = false;
};

}  // namespace kiln::net
