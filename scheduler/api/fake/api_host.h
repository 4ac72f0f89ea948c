// The API on a thread of its own with a fake backend, for tests that ask it over HTTP.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "base/check.h"
#include "scheduler/api/api.h"
#include "scheduler/api/fake/fake_backend.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::scheduler {

class ApiHost {
 public:
  explicit ApiHost(ApiOptions options = {}) {
    std::string folder = std::filesystem::temp_directory_path() / "kiln-api-XXXXXX";
    KILN_CHECK(mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    options.artifacts = folder_ / "artifacts";
    thread_ = std::thread([this] { loop_.Run(); });
    OnLoop([&] {
      auto listener = net::Listener::Open("127.0.0.1", 0);
      KILN_CHECK(listener.has_value());
      auto api = Api::Serve(loop_, *std::move(listener), backend_, options);
      KILN_CHECK(api.has_value());
      api_ = *std::move(api);
    });
  }
  ~ApiHost() {
    OnLoop([&] { api_.reset(); });
    loop_.Stop();
    thread_.join();
    std::filesystem::remove_all(folder_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(api_->port()); }
  const std::filesystem::path& folder() const { return folder_; }
  const Api& api() const { return *api_; }

  // Runs it on the loop and waits; the backend is the loop's.
  void OnLoop(const std::function<void()>& function) {
    std::promise<void> done;
    loop_.Post([&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }
  void Change(const std::function<void(FakeBackend&)>& change) {
    OnLoop([&] { change(backend_); });
  }
  void SetTokens(const std::vector<Token>& tokens) {
    OnLoop([&] { api_->SetTokens(tokens); });
  }

 private:
  std::filesystem::path folder_;
  net::Loop loop_;
  FakeBackend backend_;
  std::unique_ptr<Api> api_;
  std::thread thread_;
};

}  // namespace kiln::scheduler
