#include "executor/process/probe.h"

#include <cstdlib>

#include "executor/process/command.h"

namespace kiln::executor {

void Prober::Look(const Probe& probe, Duration timeout,
                  std::function<void(std::optional<int>)> done) {
  done_ = std::move(done);
  if (timeout > Duration::zero()) {
    timer_ = loop_.After(timeout, [this] { Finish(std::nullopt); });
  }
  std::visit([this](const auto& one) { Start(one); }, probe);
}

void Prober::Start(const CommandProbe& probe) {
  auto process = Process::Start(loop_, probe.spec, [this](ExitStatus status) {
    Finish(status.code() >= 0 ? std::optional(status.code()) : std::nullopt);
  });
  if (!process) return Finish(std::nullopt);
  process_ = *std::move(process);
}

void Prober::Start(const HttpProbe& probe) {
  if (probe.tls) return StartCurl(probe, std::nullopt);
  net::Url url{"127.0.0.1", probe.port, probe.path};
  connection_ = net::Connection::Open(loop_, url, {});
  connection_->Send(
      {"GET", probe.path, {{"Connection", "close"}}, {}, {}},
      [this, probe](Result<net::Response> answer) {
        if (!answer) return Finish(std::nullopt);
        const bool leads_on = answer->status / 100 == 3 && answer->headers.Has("Location");
        if (leads_on) return StartCurl(probe, answer->status);
        Finish(answer->status);
      },
      Duration::zero());
}

// What needs TLS, or leads elsewhere, is looked at by the system's curl as under Mesos. `known` is
// the answer where there is no curl.
void Prober::StartCurl(const HttpProbe& probe, std::optional<int> known) {
  auto output = MemoryFile::Make();
  if (!output) return Finish(known);
  code_ = *std::move(output);
  ProcessSpec spec;
  spec.environment = OwnEnvironment();
  spec.program = "curl";
  spec.argv = {
      "curl",
      "-skLg",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      fmt::format("{}://127.0.0.1:{}{}", probe.tls ? "https" : "http", probe.port, probe.path)};
  spec.stdout_path = code_->path();
  auto process = Process::Start(loop_, std::move(spec), [this, known](ExitStatus status) {
    const std::string text = code_->Read(16);
    const int code = std::atoi(text.c_str());
    if (text.empty()) return Finish(known);
    Finish(status.ok() && code > 0 ? std::optional(code) : std::nullopt);
  });
  if (!process) return Finish(known);
  process_ = *std::move(process);
}

void Prober::Start(const TcpProbe& probe) {
  net::Url url{"127.0.0.1", probe.port, "/"};
  connection_ = net::Connection::Open(loop_, url,
                                      {[this] { Finish(1); }, [this](const Error&) { Finish(0); }});
}

// What looked may be the caller of this: it goes away in the next turn, before the answer.
void Prober::Finish(std::optional<int> answer) {
  if (!done_ || end_) return;
  timer_.Reset();
  end_ = loop_.After(Duration::zero(), [this, answer] {
    process_.reset();
    connection_.reset();
    end_.Reset();
    auto done = std::exchange(done_, nullptr);
    done(answer);
  });
}

}  // namespace kiln::executor
