#include "executor/process/probe.h"

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
  if (probe.tls) {
    // No TLS here: the system's curl looks, and only says good or bad.
    ProcessSpec spec;
    spec.environment = OwnEnvironment();
    spec.program = "curl";
    spec.argv = {"curl", "-skf", "-o", "/dev/null",
                 fmt::format("https://127.0.0.1:{}{}", probe.port, probe.path)};
    auto process = Process::Start(loop_, std::move(spec), [this](ExitStatus status) {
      Finish(status.ok() ? std::optional(200) : std::nullopt);
    });
    if (!process) return Finish(std::nullopt);
    process_ = *std::move(process);
    return;
  }
  net::Url url{"127.0.0.1", probe.port, probe.path};
  connection_ = net::Connection::Open(loop_, url, {});
  connection_->Send(
      {"GET", probe.path, {{"Connection", "close"}}, {}, {}},
      [this](Result<net::Response> answer) {
        Finish(answer ? std::optional(answer->status) : std::nullopt);
      },
      Duration::zero());
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
