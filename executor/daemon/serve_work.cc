// A model server: models are loaded first, then it listens.
#include <thread>

#include "executor/daemon/artifacts.h"
#include "executor/daemon/runners.h"
#include "executor/serving/model_server.h"

namespace kiln::executor {
namespace {

Status LoadModels(const v1::Work& work, const std::string& scratch, Catalog& catalog,
                  Artifacts artifacts) {
  for (const v1::ServedModel& model : work.serve().models()) {
    KILN_TRY(auto file, artifacts.Bring(model.uri(), scratch));
    KILN_TRY_OK(file->Named(LoadVersion(catalog, model.name(), model.version(), file->path(),
                                        {model.labels().begin(), model.labels().end()})));
  }
  return {};
}

class ServeWork final : public RunningWork {
 public:
  explicit ServeWork(WorkContext context) : context_(std::move(context)) {
    context_.tell(WorkStarted{context_.id(), {}});
    std::thread([this, alive = alive_, loop = context_.loop, work = context_.work,
                 scratch = context_.scratch, catalog = catalog_, cancel = cancel_] {
      const auto waits = [this, alive, loop](const std::string& why) {
        loop->Post([this, alive, why] {
          if (*alive) Tell(why, {});
        });
      };
      Status loaded = LoadModels(work, scratch, *catalog, Artifacts(ApiOf(work), cancel, waits));
      loop->Post([this, alive, loaded] {
        if (*alive) OnLoaded(loaded);
      });
    }).detach();
  }
  ~ServeWork() override {
    *alive_ = false;
    cancel_->Set();
  }

  void Stop(bool) override {
    cancel_->Set();
    server_.reset();
    End({.task = context_.id(), .ok = true, .message = "model server was stopped"});
  }

 private:
  void OnLoaded(const Status& loaded) {
    if (ended_) return;
    if (!loaded) return End(EndOf(context_.id(), loaded.error()));
    ModelServerOptions options;
    options.host = context_.host;
    options.port = context_.work.serve().port();
    auto server = ModelServer::Start(*context_.loop, options, catalog_);
    if (!server) return End(EndOf(context_.id(), server.error()));
    server_ = *std::move(server);
    Tell("serving", true);
  }

  void Tell(const std::string& message, std::optional<bool> healthy) {
    v1::Report report;
    if (server_) report.set_endpoint(server_->address());
    report.set_message(message);
    context_.tell(WorkProgress{context_.id(), report.SerializeAsString(), healthy});
  }

  void End(WorkEnded end) {
    if (std::exchange(ended_, true)) return;
    context_.tell(std::move(end));
  }

  WorkContext context_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::shared_ptr<CancelFlag> cancel_ = std::make_shared<CancelFlag>();
  std::shared_ptr<Catalog> catalog_ = std::make_shared<Catalog>();
  std::unique_ptr<ModelServer> server_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<RunningWork> RunServe(WorkContext context) {
  return std::make_unique<ServeWork>(std::move(context));
}

}  // namespace kiln::executor
