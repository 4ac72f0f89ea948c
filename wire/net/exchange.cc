#include "wire/net/exchange.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace kiln::net {
namespace {

bool StatusHasBody(int status) { return status >= 200 && status != 204 && status != 304; }

class ExchangeImpl final : public Exchange {
 public:
  ExchangeImpl(Request request, std::shared_ptr<Answer> answer,
               std::weak_ptr<ServerConnection> connection, std::shared_ptr<BodySink> sink)
      : request_(std::move(request)),
        answer_(std::move(answer)),
        connection_(std::move(connection)),
        sink_(std::move(sink)) {}

  ~ExchangeImpl() override {
    if (answer_->state == Answer::State::kWaiting) {
      Respond(ErrorResponse({ErrorCode::kInternal, "request was dropped without an answer", {}}));
    } else if (answer_->state == Answer::State::kStreaming) {
      Abort();
    }
  }

  const Request& request() const override { return request_; }
  std::shared_ptr<BodySink> sink() const override { return sink_; }

  void Respond(Response response) override {
    if (answer_->state != Answer::State::kWaiting) return;
    Head(response, Framing::kLength, response.body.size());
    if (Wanted(response)) Add(std::move(response.body));
    answer_->state = Answer::State::kDone;
    Pump();
  }

  void RespondFile(Response head, std::string path, uint64_t offset, uint64_t length) override {
    if (answer_->state != Answer::State::kWaiting) return;
    int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
      const auto code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable;
      return Respond(
          ErrorResponse({code, fmt::format("file {}: {}", path, std::strerror(errno)), {}}));
    }
    answer_->file = file;
    Head(head, Framing::kLength, length);
    if (Wanted(head)) {
      answer_->file_offset = offset;
      answer_->file_left = length;
    }
    answer_->state = Answer::State::kDone;
    Pump();
  }

  void BeginStream(Response head) override {
    if (answer_->state != Answer::State::kWaiting) return;
    Head(head, answer_->old_http ? Framing::kUntilEnd : Framing::kChunked, 0);
    if (answer_->head_only) {
      answer_->state = Answer::State::kDone;
      return Pump();
    }
    if (!head.body.empty() && Wanted(head)) AddPiece(head.body);
    answer_->state = Answer::State::kStreaming;
    if (auto connection = connection_.lock()) connection->StreamBegins();
    Pump();
  }

  void Write(std::string_view piece) override {
    if (answer_->state != Answer::State::kStreaming || piece.empty()) return;
    AddPiece(piece);
    Pump();
  }

  void EndStream() override {
    if (answer_->state != Answer::State::kStreaming) return;
    if (answer_->framing == Framing::kChunked) Add(std::string(kLastChunk));
    answer_->state = Answer::State::kDone;
    if (auto connection = connection_.lock()) connection->StreamEnds();
    Pump();
  }

  size_t Unsent() const override {
    auto connection = connection_.lock();
    return connection && !connection->closed() ? answer_->piece_bytes + connection->unsent() : 0;
  }

  void OnTaken(std::function<void()> function) override {
    auto connection = connection_.lock();
    if (connection && !connection->closed()) connection->OnTaken(std::move(function));
  }

  void Abort() override {
    if (auto connection = connection_.lock()) connection->Close();
  }

  void OnClose(std::function<void()> function) override {
    if (auto connection = connection_.lock()) connection->OnClose(std::move(function));
  }

 private:
  void Head(const Response& response, Framing framing, uint64_t length) {
    if (auto value = response.headers.Get("Connection"); value == "close") {
      answer_->close_after = true;
    }
    answer_->framing = StatusHasBody(response.status) ? framing : Framing::kNone;
    Add(FormatAnswerHead(response, answer_->framing, length));
  }
  bool Wanted(const Response& response) const {
    return !answer_->head_only && StatusHasBody(response.status);
  }
  void Add(std::string bytes) {
    answer_->piece_bytes += bytes.size();
    answer_->pieces.push_back(std::move(bytes));
  }
  void AddPiece(std::string_view piece) {
    Add(answer_->framing == Framing::kChunked ? FormatChunk(piece) : std::string(piece));
  }
  // What is written to a connection that is gone goes nowhere.
  void Pump() {
    auto connection = connection_.lock();
    if (connection && !connection->closed()) return connection->Pump();
    answer_->pieces.clear();
    answer_->piece_bytes = 0;
  }

  Request request_;
  std::shared_ptr<Answer> answer_;
  std::weak_ptr<ServerConnection> connection_;
  std::shared_ptr<BodySink> sink_;
};

}  // namespace

std::shared_ptr<Exchange> MakeExchange(Request request, std::shared_ptr<Answer> answer,
                                       std::weak_ptr<ServerConnection> connection,
                                       std::shared_ptr<BodySink> sink) {
  return std::make_shared<ExchangeImpl>(std::move(request), std::move(answer),
                                        std::move(connection), std::move(sink));
}

}  // namespace kiln::net
