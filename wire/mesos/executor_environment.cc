#include <array>
#include <charconv>
#include <cmath>

#include "wire/mesos/executor_client.h"

namespace kiln::wire {

Result<Duration> ParseMesosDuration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 8> kUnits = {
      {{"ns", 1},
       {"us", 1e3},
       {"ms", 1e6},
       {"secs", 1e9},
       {"mins", 6e10},
       {"hrs", 3.6e12},
       {"days", 8.64e13},
       {"weeks", 6.048e14}}};
  double number = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<size_t>(stop - text.data()));
  for (const auto& [name, nanoseconds] : kUnits) {
    if (code != std::errc() || unit != name) continue;
    const double total = number * nanoseconds;
    if (!(total >= 0 && total < 9.2e18)) break;
    return Duration(std::llround(total));
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      "duration: found '{}', expected a number and ns, us, ms, secs, mins, hrs, days or weeks",
      text);
}

namespace {

bool IsTrue(const std::optional<std::string>& value) { return value == "1" || value == "true"; }

// As libprocess reads it, of either set of names: SSL_* is what LIBPROCESS_SSL_* was called.
void ReadTls(const EnvironmentLookup& lookup, ExecutorEnvironment& found) {
  for (const std::string prefix : {"LIBPROCESS_SSL_", "SSL_"}) {
    if (!IsTrue(lookup(prefix + "ENABLED"))) continue;
    const auto text = [&](const char* name) { return lookup(prefix + name).value_or(""); };
    found.agent_endpoint = "https://" + found.agent_endpoint;
    found.tls = {.ca_file = text("CA_FILE"),
                 .ca_dir = text("CA_DIR"),
                 .ca_pem = {},
                 .certificate = text("CERT_FILE"),
                 .key = text("KEY_FILE"),
                 .verify = false};
    for (const char* name : {"VERIFY_SERVER_CERT", "VERIFY_CERT", "REQUIRE_CERT"}) {
      found.tls.verify = found.tls.verify || IsTrue(lookup(prefix + name));
    }
    return;
  }
}

}  // namespace

Result<ExecutorEnvironment> ReadExecutorEnvironment(const EnvironmentLookup& lookup) {
  ExecutorEnvironment found;
  const std::pair<const char*, std::string*> required[] = {
      {"MESOS_FRAMEWORK_ID", &found.framework_id},
      {"MESOS_EXECUTOR_ID", &found.executor_id},
      {"MESOS_AGENT_ENDPOINT", &found.agent_endpoint}};
  for (const auto& [name, field] : required) {
    const auto value = lookup(name);
    if (!value || value->empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "environment variable {}: found none, expected the value an agent sets", name);
    }
    *field = *value;
  }
  const std::pair<const char*, Duration*> durations[] = {
      {"MESOS_RECOVERY_TIMEOUT", &found.recovery_timeout},
      {"MESOS_SUBSCRIPTION_BACKOFF_MAX", &found.subscription_backoff_max},
      {"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", &found.shutdown_grace_period}};
  for (const auto& [name, field] : durations) {
    const auto value = lookup(name);
    if (!value) continue;
    auto duration = ParseMesosDuration(*value);
    if (!duration) return Failure(Within(name, std::move(duration).error()));
    *field = *duration;
  }
  found.checkpoint = lookup("MESOS_CHECKPOINT") == "1";
  found.agent_id = lookup("MESOS_SLAVE_ID").value_or("");
  // A container with an image sees its sandbox at another path than the host does.
  const auto directory = lookup("MESOS_DIRECTORY");
  found.sandbox = lookup("MESOS_SANDBOX").value_or(directory.value_or(""));
  found.authentication_token = lookup("MESOS_EXECUTOR_AUTHENTICATION_TOKEN").value_or("");
  ReadTls(lookup, found);
  return found;
}

}  // namespace kiln::wire
