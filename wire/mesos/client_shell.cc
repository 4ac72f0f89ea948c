#include "wire/mesos/client_shell.h"

namespace kiln::wire {

ClientShell::ClientShell(net::World world, Subscription& subscription, Callbacks callbacks)
    : world_(std::move(world)), subscription_(subscription), callbacks_(std::move(callbacks)) {}

void ClientShell::Perform(Actions actions) {
  for (Action& action : actions) queue_.push_back(std::move(action));
  if (busy_) return;
  busy_ = true;
  while (!queue_.empty()) {
    Action action = std::move(queue_.front());
    queue_.pop_front();
    Do(std::move(action));
  }
  busy_ = false;
}

void ClientShell::Stop() {
  queue_.clear();
  subscription_.Stop();
  CloseConnections();
}

void ClientShell::Do(Action action) {
  struct Visitor {
    ClientShell& shell;
    void operator()(Connect& connect) { shell.Open(connect); }
    void operator()(SendSubscribe& subscribe) { shell.OpenStream(std::move(subscribe.request)); }
    void operator()(SendCall& call) { shell.Send(std::move(call)); }
    void operator()(SetTimer& timer) { shell.SetDelay(timer.delay); }
    void operator()(CloseBoth&) { shell.CloseConnections(); }
    void operator()(Deliver& event) { shell.callbacks_.on_event(event); }
    void operator()(CallAnswer& answer) {
      if (shell.callbacks_.on_answer) shell.callbacks_.on_answer(answer);
    }
    void operator()(Disconnected& end) { shell.callbacks_.on_disconnected(end); }
  };
  std::visit(Visitor{*this}, action);
}

void ClientShell::Open(const Connect& where) {
  auto url = net::ParseUrl(where.base);
  if (!url) {
    Perform(subscription_.OnClosed(url.error(), Now()));
    return;
  }
  url->name = where.name;
  opened_ = 0;
  prefix_ = url->target == "/" ? "" : url->target;
  net::Connection::Callbacks callbacks;
  callbacks.on_open = [this] {
    if (++opened_ == 2) Perform(subscription_.OnConnected(Now()));
  };
  callbacks.on_closed = [this](const Error& why) { Perform(subscription_.OnClosed(why, Now())); };
  stream_ = world_.connect(*url, callbacks);
  calls_ = world_.connect(*url, callbacks);
}

void ClientShell::OpenStream(net::Request request) {
  request.target.insert(0, prefix_);
  net::Connection::StreamCallbacks callbacks;
  callbacks.on_head = [this](const net::Response& head) {
    Perform(subscription_.OnHead(head.status, head.headers, Now()));
  };
  callbacks.on_data = [this](std::string_view piece) {
    Perform(subscription_.OnBytes(piece, Now()));
  };
  callbacks.on_end = [this] { Perform(subscription_.OnStreamEnd(Now())); };
  stream_->OpenStream(std::move(request), std::move(callbacks));
}

void ClientShell::Send(SendCall call) {
  // The connections may be gone by now: their end has answered the call.
  if (!calls_) return;
  call.request.target.insert(0, prefix_);
  calls_->Send(std::move(call.request), [this, id = call.call](Result<net::Response> answer) {
    Perform(subscription_.OnAnswer(id, answer, Now()));
  });
}

void ClientShell::SetDelay(std::optional<Duration> delay) {
  timer_.Reset();
  if (!delay) return;
  timer_ = world_.agenda.After(*delay, [this] { Perform(subscription_.OnTimer(Now())); });
}

void ClientShell::CloseConnections() {
  timer_.Reset();
  stream_.reset();
  calls_.reset();
}

}  // namespace kiln::wire
