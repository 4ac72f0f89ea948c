#include <CLI/CLI.hpp>

#include "cli/commands/session.h"
#include "cli/output/exit_code.h"
#include "wire/net/http.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;

std::string JobPath(const std::string& name, const std::string& rest = "") {
  return "/v1/jobs/" + net::PercentEncodePart(name) + rest;
}

Result<int> ListJobs(const Session& session, const std::string& phase) {
  return session.ShowList(
      phase.empty() ? "/v1/jobs" : "/v1/jobs?phase=" + net::PercentEncodePart(phase), "jobs",
      {"NAME", "KIND", "PHASE", "RUNNING", "FINISHED", "MEMBERS", "DONE", "SUBMITTED"},
      [](const Json& job) -> std::vector<std::string> {
        return {Cell(job, "name"),    Cell(job, "kind"),     Cell(job, "phase"),
                Cell(job, "running"), Cell(job, "finished"), Cell(job, "members"),
                PercentCell(job),     Cell(job, "submitted")};
      });
}

// "8 members, in one zone, prefers one rack".
std::string GangText(const Json& gang) {
  if (gang.is_string()) return gang.get<std::string>() + " members";
  std::string text = gang.contains("members") ? Cell(gang, "members") : "all";
  text += " members";
  if (gang.contains("require")) text += ", in one " + Cell(gang, "require");
  if (gang.contains("prefer")) text += ", prefers one " + Cell(gang, "prefer");
  return text;
}

void PrintVolumes(std::ostream& out, const Json& volumes) {
  if (volumes.empty()) return;
  out << "\n";
  Table table({"VOLUME", "GROUP", "INDEX", "SIZE", "HOST", "PHASE", "SINCE"});
  for (const Json& volume : volumes) {
    table.Add({Cell(volume, "path"), Cell(volume, "group"), Cell(volume, "index"),
               Cell(volume, "size"), Cell(volume, "hostname"), Cell(volume, "phase"),
               Cell(volume, "since")});
  }
  table.Print(out);
}

void PrintJob(std::ostream& out, const Json& job, const Json& tasks) {
  for (const char* member :
       {"name", "kind", "phase", "message", "role", "priority", "submitted", "ended"}) {
    out << fmt::format("{:<11}{}\n", member + std::string(":"), Clean(Cell(job, member)));
  }
  if (const Json& asked = job.at("job"); asked.contains("gang")) {
    out << fmt::format("{:<11}{}\n", "gang:", Clean(GangText(asked.at("gang"))));
  }
  out << "\n";
  Table groups({"GROUP", "MEMBERS", "STARTING", "RUNNING", "FINISHED", "DONE"});
  for (const Json& group : job.at("groups")) {
    groups.Add({Cell(group, "name"), Cell(group, "members"), Cell(group, "starting"),
                Cell(group, "running"), Cell(group, "finished"), PercentCell(group)});
  }
  groups.Print(out);
  PrintVolumes(out, job.value("volumes", Json::array()));
  if (tasks.empty()) return;
  out << "\n";
  Table table({"TASK", "GROUP", "INDEX", "ATTEMPT", "STATE", "HOST", "MESSAGE"});
  for (const Json& task : tasks) {
    table.Add({Cell(task, "id"), Cell(task, "group"), Cell(task, "index"), Cell(task, "attempt"),
               Cell(task, "state"), Cell(task, "hostname"), Cell(task, "message")});
  }
  table.Print(out);
  for (const Json& task : tasks) {
    const std::string result = task.value("result", "");
    if (!result.empty()) {
      out << fmt::format("\nresult of {}:\n{}", Clean(Cell(task, "id")), Clean(result, '\n'));
    }
  }
}

Result<int> ShowJob(const Session& session, const std::string& name) {
  KILN_TRY(Client api, session.Api());
  KILN_TRY(Json job, api.Get(JobPath(name)));
  KILN_TRY(Json tasks, api.Get(JobPath(name, "/tasks")));
  if (session.json) {
    job["tasks"] = tasks["tasks"];
    session.PrintJson(job);
  } else {
    PrintJob(session.program.out, job, tasks["tasks"]);
  }
  return kExitDone;
}

Result<int> Why(const Session& session, const std::string& name) {
  KILN_TRY(Client api, session.Api());
  KILN_TRY(Json answer, api.Get(JobPath(name, "/why")));
  if (session.json) {
    session.PrintJson(answer);
    return kExitDone;
  }
  if (answer["refusals"].empty()) {
    KILN_TRY(const Json job, api.Get(JobPath(name)));
    const std::string message = Cell(job, "message");
    session.program.err << Clean(fmt::format("nothing of {} waits, it is {}{}", name,
                                             Cell(answer, "phase"),
                                             message == "-" ? "" : ": " + message))
                        << "\n";
    return kExitDone;
  }
  PrintRefusals(session.program.out, answer["refusals"]);
  return kExitDone;
}

struct LogOptions {
  std::string name;
  std::string task;
  bool follow = false;
  bool errors = false;
};

Result<int> Log(const Session& session, const LogOptions& options) {
  KILN_TRY(Client api, session.Api());
  std::string path = JobPath(options.name, "/log?file=");
  path += options.errors ? "stderr" : "stdout";
  if (options.follow) path += "&follow=true";
  if (!options.task.empty()) path += "&task=" + net::PercentEncodePart(options.task);
  bool any = false;
  KILN_TRY_OK(api.Stream(path, [&](std::string_view piece) {
    any = true;
    session.program.out << piece << std::flush;
    return session.program.out.good();
  }));
  if (!any && !session.quiet) {
    session.program.err << (options.errors ? "nothing was printed as errors\n"
                                           : "nothing was printed, --stderr may have more\n");
  }
  return kExitDone;
}

// Ends each of them, whatever comes of the others; silent when that is done. The first error gives
// the exit code.
Result<int> Kill(const Session& session, const std::string& folder,
                 const std::vector<std::string>& names) {
  KILN_TRY(Client api, session.Api());
  Json answers = Json::array();
  int code = kExitDone;
  for (const std::string& name : names) {
    auto answer = api.Send("POST", folder + net::PercentEncodePart(name) + "/kill");
    if (answer) {
      answers.push_back(*std::move(answer));
      continue;
    }
    session.PrintError(answer.error());
    if (code == kExitDone) code = ExitCodeOf(answer.error().code);
  }
  if (session.json && !answers.empty()) session.PrintJson(answers);
  return code;
}

}  // namespace

void AddJobCommands(CLI::App& app, Session& session) {
  CLI::App* job = app.add_subcommand("job", "submit, watch and end jobs");
  job->require_subcommand(1);
  AddSubmitCommands(*job, session);

  auto* list = job->add_subcommand("list", "all jobs");
  auto phase = std::make_shared<std::string>();
  list->add_option("--phase", *phase, "only those in this phase, such as RUNNING");
  list->callback([&session, phase] {
    session.action = [&session, phase] { return ListJobs(session, *phase); };
  });

  auto name = std::make_shared<std::string>();
  auto* show = job->add_subcommand("show", "one job with its groups and tasks");
  show->add_option("NAME", *name)->required();
  show->callback(
      [&session, name] { session.action = [&session, name] { return ShowJob(session, *name); }; });
  auto* why = job->add_subcommand("why", "why members of a job wait");
  why->add_option("NAME", *name)->required();
  why->callback(
      [&session, name] { session.action = [&session, name] { return Why(session, *name); }; });

  auto log_options = std::make_shared<LogOptions>();
  auto* log = job->add_subcommand("log", "what a task printed");
  log->add_option("NAME", log_options->name)->required();
  log->add_option(
      "--task", log_options->task,
      "its id; when it is left out the one that failed, or the first member's last attempt");
  log->add_flag("-f,--follow", log_options->follow, "until the task ends");
  log->add_flag("--stderr", log_options->errors, "what it printed as errors");
  log->callback([&session, log_options] {
    session.action = [&session, log_options] { return Log(session, *log_options); };
  });

  auto names = std::make_shared<std::vector<std::string>>();
  auto* kill = job->add_subcommand("kill", "end jobs");
  kill->add_option("NAME", *names)->required();
  kill->callback([&session, names] {
    session.action = [&session, names] { return Kill(session, "/v1/jobs/", *names); };
  });
  CLI::App* task = app.add_subcommand("task", "single tasks of a job");
  task->require_subcommand(1);
  auto* kill_task = task->add_subcommand("kill", "end tasks; others take their place");
  kill_task->add_option("ID", *names)->required();
  kill_task->callback([&session, names] {
    session.action = [&session, names] { return Kill(session, "/v1/tasks/", *names); };
  });
}

}  // namespace kiln::cli
