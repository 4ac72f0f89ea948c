// Logs a service account in, and keeps it so.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "scheduler/daemon/service_account.h"
#include "wire/net/world.h"

namespace kiln::scheduler {

// Threads: the agenda's alone. Owner: the link to Mesos; the world outlives it.
class DcosLogin {
 public:
  struct Callbacks {
    // The value of the header Authorization: at the first login, and whenever there is another.
    std::function<void(const std::string& authorization)> granted;
    // A login failed; another one follows.
    std::function<void(const Error& why)> failed;
  };
  DcosLogin(net::World world, ServiceAccount account, Callbacks callbacks);

  void Start();
  // The last token was answered with 401.
  void Refused();

 private:
  void SetTimer();
  void LogIn();
  void OnAnswer(const Result<net::Response>& answer);

  net::World world_;
  const ServiceAccount account_;
  Callbacks callbacks_;
  LoginPlan plan_;
  net::Handle timer_;
  std::unique_ptr<net::Connection> connection_;  // of a login under way
};

}  // namespace kiln::scheduler
