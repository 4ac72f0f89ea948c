// The REST API of the scheduler: /v1, the routes that DC/OS asks for, and a page for people.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "scheduler/api/backend.h"
#include "scheduler/api/guard.h"
#include "scheduler/api/router.h"

namespace kiln::net {
class Listener;
class Loop;
class TlsContext;
}  // namespace kiln::net

namespace kiln::scheduler {

struct ApiOptions {
  std::string artifacts;  // folder of the artifact store; made when it is missing
  std::string service_name = "kiln";
  // Started to be uninstalled: everything is torn down, and v1/plans/deploy tells when that is
  // done.
  bool uninstall = false;
  std::vector<Token> tokens;  // of callers; none: everybody may do everything
  std::string job_key;        // of the tokens of tasks
  double rate_limit = 0;      // requests a second of each caller; 0: any number
  std::shared_ptr<const net::TlsContext> tls = nullptr;        // of the server; none: it is plain
  std::shared_ptr<const net::TlsContext> agent_tls = nullptr;  // what agents are judged by
  // Of a scheduler that stands by; none: it leads. What is answered in place of a handler, to whom
  // may have an answer, and what becomes of a handler's whole answer.
  std::function<std::optional<net::Response>(const net::Request& head, const Route* route)> before =
      nullptr;
  std::function<void(const net::Request& request, net::Response& response)> after = nullptr;
};

// Threads: the loop's alone. Owner: the daemon; `loop` and `backend` outlive it.
class Api {
 public:
  // Errors: those of the artifact folder.
  static Result<std::unique_ptr<Api>> Serve(net::Loop& loop, net::Listener listener,
                                            Backend& backend, ApiOptions options);
  ~Api();

  int port() const;
  std::string address() const;  // host:port
  // Of callers from here on; at least one. Where a token or a part of its access is gone, all
  // connections are closed: who still may comes back.
  void SetTokens(std::vector<Token> tokens);
  const Router& router() const;

 private:
  struct Parts;
  explicit Api(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace kiln::scheduler
