// kiln job submit and plan: the job file with the data files that it names.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/sha256.h"
#include "cli/commands/session.h"
#include "cli/commands/usage.h"
#include "cli/output/exit_code.h"
#include "model/units.h"
#include "model/uri.h"
#include "wire/net/http.h"
#include "wire/rest/job_codec.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;
namespace fs = std::filesystem;

constexpr auto kPoll = std::chrono::milliseconds(200);
// A scheduler that is started again is back long before.
constexpr auto kSilenceMax = std::chrono::seconds(60);
// The time of one question of --wait: a scheduler that hangs is asked again, and one that is asked
// has time to answer.
constexpr Duration kAnswerMin = std::chrono::seconds(1);
constexpr Duration kAnswerMax = std::chrono::seconds(10);

struct SubmitOptions {
  std::string file;
  bool wait = false;
  std::string timeout = "0s";  // none
};

Result<Job> ReadJob(const std::string& file) {
  KILN_TRY(std::string text, ReadFile(file, 16 << 20));
  auto job = wire::DecodeJob(text);
  if (!job) return Failure(Error{job.error().code, file + ": " + TextOf(job.error()), {}});
  return job;
}

// "digits.csv" and "data/x.npy", but neither "/srv/x.csv", which is a path on the agents, nor
// "http://host/x.csv", nor "artifact:x".
bool IsLocal(const std::string& uri) {
  return !uri.empty() && !uri.starts_with('/') && uri.find(':') == std::string::npos;
}

kiln::Table* DataOf(Work& work) {
  if (auto* train = std::get_if<TrainWork>(&work)) return &train->data;
  if (auto* score = std::get_if<ScoreWork>(&work)) return &score->data;
  if (auto* search = std::get_if<SearchWork>(&work)) return &search->data;
  return nullptr;
}

// A file that goes into the artifact store.
struct LocalData {
  std::string file;
  std::string digest;
  std::string path;  // in the store
};

// Gives the local files of the job names in the artifact store that are made of their content, so
// that the same files make the same job.
Result<std::vector<LocalData>> NameData(const fs::path& folder, Job& job) {
  std::vector<LocalData> files;
  for (size_t i = 0; i < job.groups.size(); ++i) {
    kiln::Table* data = DataOf(job.groups[i].work);
    if (data == nullptr || !IsLocal(data->uri)) continue;
    const std::string file = folder / data->uri;
    auto digest = Sha256OfFile(file);
    if (!digest) {
      return Failure(Error{digest.error().code,
                           digest.error().message + ": expected the data beside the job file",
                           fmt::format("groups[{}].run.data", i)});
    }
    const std::string name = fs::path(data->uri).filename();
    files.push_back({file, *digest, "uploads/" + digest->substr(0, 16) + "/" + name});
    data->uri = "artifact:" + files.back().path;
  }
  return files;
}

Status UploadData(const Session& session, const Client& api, const std::vector<LocalData>& files) {
  for (const auto& [file, digest, path] : files) {
    const std::string name = fs::path(file).filename();
    Progress progress(session.program.err, session.program.interactive);
    KILN_TRY_OK(api.Upload(file, digest, path, [&](uint64_t done, uint64_t total) {
      if (session.program.interactive) {
        progress.Show("uploading " + name, static_cast<double>(done) / static_cast<double>(total));
      } else if (done == total) {
        progress.Show(
            fmt::format("uploaded {} ({})", name, FormatBytes({static_cast<int64_t>(total)})), 1);
      }
    }));
  }
  return {};
}

// The first reason that something of the job waits; empty when nothing does. That a group stands
// behind another of the same job is none worth telling.
std::string Reason(const Client& api, const std::string& path, const Json& job, Duration time) {
  auto why = api.Get(path + "/why", time);
  if (!why) return "";
  for (const Json& refusal : why->at("refusals")) {
    if (refusal.at("blocker") == "AFTER" && !job.at("job").contains("after")) continue;
    return fmt::format(", waits for {}: {}", Cell(refusal, "blocker"), Cell(refusal, "reason"));
  }
  return "";
}

// Shows how far the job is until it ends; one that does not end by itself, until all of it runs. A
// scheduler that is away for a while is waited for.
Result<int> Wait(const Session& session, const Client& api, const std::string& name,
                 Duration timeout) {
  const std::string path = "/v1/jobs/" + net::PercentEncodePart(name);
  const auto start = std::chrono::steady_clock::now();
  const auto is_late = [&](auto now) { return timeout.count() > 0 && now - start > timeout; };
  auto answered = start;
  Progress progress(session.program.err, session.program.interactive);
  while (true) {
    const Duration left = start + timeout - std::chrono::steady_clock::now();
    const Duration time =
        timeout.count() > 0 ? std::clamp(left, kAnswerMin, kAnswerMax) : kAnswerMax;
    auto answer = api.Get(path, time);
    const auto now = std::chrono::steady_clock::now();
    const bool silent = !answer && (answer.error().code == ErrorCode::kUnavailable ||
                                    answer.error().code == ErrorCode::kDeadlineExceeded);
    if (silent && now - answered < kSilenceMax && !is_late(now)) {
      progress.Show(answer.error().message + ": asking again", 0);
      std::this_thread::sleep_for(kPoll);
      continue;
    }
    answered = now;
    KILN_TRY(const Json job, std::move(answer));
    const std::string phase = Cell(job, "phase");
    const bool waits = phase == "WAITING" || (phase == "RUNNING" && job.at("running") == 0);
    const bool ends = job.at("kind") == "training" || job.at("kind") == "scoring";
    progress.Show(
        fmt::format("{} {}, {} of {} running, {} finished{}{}", name, phase, Cell(job, "running"),
                    Cell(job, "members"), Cell(job, "finished"),
                    ends ? ", " + PercentCell(job) : "", waits ? Reason(api, path, job, time) : ""),
        ends ? job.value("fraction", 0.0) : job.value("running", 0.0) / job.value("members", 1.0));
    const bool failed = phase == "FAILED" || phase == "KILLED";
    if (failed || phase == "SUCCEEDED" ||
        (!ends && phase == "RUNNING" && job.at("running") == job.at("members"))) {
      progress.End();
      if (session.json) session.PrintJson(job);
      if (!failed) return kExitDone;
      session.program.err << fmt::format("error: job {} is {}: {}\n", name, phase,
                                         Clean(Cell(job, "message")));
      if (phase == "FAILED") {
        session.program.err << fmt::format("`kiln job log {} --stderr` shows what it printed\n",
                                           name);
      }
      return kExitFailed;
    }
    if (is_late(now)) {
      return Fail(ErrorCode::kDeadlineExceeded, "job {} is {} after {}", name, phase,
                  FormatDuration(timeout));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

Result<int> Submit(const Session& session, const SubmitOptions& options) {
  KILN_TRY(Duration timeout, ParseDuration(options.timeout));
  KILN_TRY(Job job, ReadJob(options.file));
  KILN_TRY(Client api, session.Api());
  const Duration time = options.wait && timeout.count() > 0
                            ? std::clamp(timeout, kAnswerMin, Client::kTimeout)
                            : Client::kTimeout;
  KILN_TRY(const auto files, NameData(fs::path(options.file).parent_path(), job));
  const std::string body = wire::DumpJson(wire::JobToJson(job));
  if (!files.empty()) {
    // Nothing is uploaded for a job that is refused.
    KILN_TRY_OK(CheckUris(job));
    KILN_TRY_OK(api.Send("POST", "/v1/jobs?dry_run=true", body, time));
    KILN_TRY_OK(UploadData(session, api, files));
  }
  KILN_TRY(Json answer, api.Send("POST", "/v1/jobs", body, time));
  if (options.wait) return Wait(session, api, job.name, timeout);
  if (session.json) {
    session.PrintJson(answer);
  } else {
    session.program.out << job.name << "\n";
  }
  return kExitDone;
}

Result<int> Plan(const Session& session, const std::string& file) {
  KILN_TRY(Job job, ReadJob(file));
  KILN_TRY(Client api, session.Api());
  KILN_TRY(Json plan, api.Send("POST", "/v1/plan", wire::DumpJson(wire::JobToJson(job))));
  const int code = plan["fits"] == true ? kExitDone : kExitFailed;
  if (session.json) {
    session.PrintJson(plan);
    return code;
  }
  kiln::cli::Table launches({"GROUP", "INDEX", "HOST", "RESOURCES"});
  for (const Json& launch : plan["launches"]) {
    launches.Add({Cell(launch, "group"), Cell(launch, "index"), Cell(launch, "hostname"),
                  ResourcesCell(launch.at("resources"))});
  }
  const Json& refusals = plan["refusals"];
  if (!launches.empty()) launches.Print(session.program.out);
  if (!launches.empty() && !refusals.empty()) session.program.out << "\n";
  if (!refusals.empty()) PrintRefusals(session.program.out, refusals);
  return code;
}

}  // namespace

void AddSubmitCommands(CLI::App& job, Session& session) {
  auto options = std::make_shared<SubmitOptions>();
  auto* submit = job.add_subcommand("submit", "submit a job file and the data files it names");
  submit->add_option("FILE", options->file, "YAML or JSON")->required();
  submit->add_flag("--wait", options->wait,
                   "until it ends; for serving and services, until all members run");
  submit->add_option("--timeout", options->timeout, "the longest wait, such as 10min");
  submit->callback([&session, options] {
    session.action = [&session, options] { return Submit(session, *options); };
  });
  auto file = std::make_shared<std::string>();
  auto* plan = job.add_subcommand("plan", "where a job would go at this moment, or why not");
  plan->add_option("FILE", *file, "YAML or JSON")->required();
  plan->callback(
      [&session, file] { session.action = [&session, file] { return Plan(session, *file); }; });
}

}  // namespace kiln::cli
