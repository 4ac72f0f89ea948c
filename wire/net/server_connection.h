// One connection of the server: requests in, answers out in their order.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "wire/net/answer.h"
#include "wire/net/crowd.h"
#include "wire/net/parser.h"
#include "wire/net/server.h"

namespace kiln::net {

class ServerConnection;

// What the connections of one server share. Outlived by none of them: they lose it when detached.
struct ServerShared {
  ServerOptions options;
  Handler handler;
  Loop* loop = nullptr;
  std::vector<char> read_buffer = std::vector<char>(256 << 10);
  std::function<void(ServerConnection*)> forget;
  size_t held = 0;                 // bytes in memory for all connections
  std::function<void()> too_much;  // those are more than memory_max
};

// An answer on its way; shared by the exchange that fills it and the connection that sends it.
struct Answer {
  enum class State { kWaiting, kStreaming, kDone };
  ~Answer();

  State state = State::kWaiting;
  Framing framing = Framing::kLength;
  bool head_only = false;  // to HEAD
  bool old_http = false;
  bool close_after = false;
  std::vector<std::string> pieces;  // not yet handed to the connection
  size_t piece_bytes = 0;
  int file = -1;  // -1: none, or read to the end
  uint64_t file_offset = 0;
  uint64_t file_left = 0;
};

class ServerConnection : public std::enable_shared_from_this<ServerConnection>,
                         private MessageEvents {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Time = std::chrono::steady_clock::time_point;

  ServerConnection(std::shared_ptr<ServerShared> shared, Socket socket);
  void Start();
  // Ends the connection; tells those who asked by OnClose unless the server itself goes.
  void Close();
  void Detach();
  bool Expired(Time now) const;
  Guest AsGuest() const;

  // For exchanges.
  void Pump();  // sends what is ready
  bool closed() const { return closed_; }
  bool peer_ended() const { return peer_ended_; }
  size_t unsent() const { return out_bytes_; }
  void StreamBegins() { ++streams_; }
  void StreamEnds() { --streams_; }
  void OnClose(std::function<void()> function);
  void OnTaken(std::function<void()> function) { taken_function_ = std::move(function); }

 private:
  Status OnHead(MessageHead head) override;
  Status OnBody(std::string_view piece) override;

  void StartRead();
  void OnReadable();
  void OnEncrypted(std::string_view bytes);
  void OnPeerEnd();
  void Parse(std::string_view fresh);
  size_t ParseSome(std::string_view bytes);
  bool MayParse() const;
  size_t Unread() const;
  void Dispatch();
  void Refuse(Error error);
  void RefuseWith(Response response);
  Status TooLarge(const std::string& found);

  void Take(Answer& answer);
  void TakeInside();
  void ReadFile(Answer& answer);
  void Push(std::string piece);  // plain
  void PushEncrypted();
  void PushRaw(std::string piece);
  void StartWrite();
  void OnWritten(size_t count);
  void Finish();
  void CountHeld();

  std::shared_ptr<ServerShared> shared_;
  Socket socket_;
  std::string peer_;
  std::string host_;  // of the peer
  size_t held_ = 0;   // as it was counted last
  std::unique_ptr<TlsSession> tls_;
  bool greeted_ = false;  // TLS has begun

  // Reading.
  std::unique_ptr<MessageParser> parser_;
  Request request_;  // the one that is arriving
  std::shared_ptr<BodySink> sink_;
  std::optional<Response> refusal_;
  bool old_http_ = false;
  bool close_after_ = false;
  std::string input_;         // read but not parsed
  size_t request_bytes_ = 0;  // in memory, of the request that is arriving
  bool asked_ = false;        // a whole request has come
  bool reading_ = false;
  bool parsing_ = false;
  bool no_more_ = false;  // further requests are not looked at
  bool peer_ended_ = false;

  // Writing.
  std::deque<std::shared_ptr<Answer>> answers_;
  int streams_ = 0;
  std::deque<std::string> out_;
  size_t out_bytes_ = 0;
  size_t front_sent_ = 0;   // of the first piece
  size_t in_flight_ = 0;    // pieces that a write looks at
  bool cut_ = false;        // closed behind what is queued
  bool lingering_ = false;  // all sent; waits for the peer's end so that it can read the answer

  bool closed_ = false;
  std::vector<std::function<void()>> close_functions_;
  std::function<void()> taken_function_;
  Time request_started_;
  Time read_progress_;
  Time write_progress_;
};

}  // namespace kiln::net
